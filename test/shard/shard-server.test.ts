import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { packHitList } from '../../src/core/hit-list.js';
import { Random } from '../../src/core/random.js';
import type { AppliedNotice, AppliedNotice__Output } from '../../src/generated/kinscan/v1/AppliedNotice.js';
import type { ShardSearchRequest } from '../../src/generated/kinscan/v1/ShardSearchRequest.js';
import { isServing } from '../../src/runtime/grpc-health.js';
import { messageCodec } from '../../src/runtime/proto.js';
import { STREAM, SUBJECT, ensureStreams } from '../../src/runtime/streams.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitUntil } from '../helpers/wait-until.js';
import { openLocalShard } from './local-shard.js';
import { partitionOfId, recordEntry, recordOf, removalEntry } from './records.js';
import {
  scatterSearch,
  searchRequest,
  startTestCluster,
  startTestShard,
  type TestShard,
} from './shard-harness.js';

const CODE = Buffer.from([0b1, 0]);
const appliedNoticeCodec = messageCodec<AppliedNotice, AppliedNotice__Output>('AppliedNotice');

function hasCode(code: string) {
  return (error: unknown) => error instanceof KinscanError && error.code === code;
}

async function appliedTo(shard: TestShard, sequence: number): Promise<void> {
  await waitUntil(`entry ${sequence} is applied`, async () => {
    const { replicas } = await shard.stats();
    return replicas.length > 0 && replicas.every(({ streamSequence }) => streamSequence >= sequence);
  });
}

describe('a shard server', () => {
  it('serves once it has caught up, tells of what it applied, and answers Search, Fetch and Stats', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    await cluster.publishRecord(recordOf('before the start', 1, CODE));
    const notices: AppliedNotice__Output[] = [];
    cluster.connection.subscribe(SUBJECT.appliedNotice, {
      callback: (_, message) => notices.push(appliedNoticeCodec.decode(message.data)),
    });
    const shard = await startTestShard(cluster, 's1');
    assert.ok(await isServing(`127.0.0.1:${shard.shard.port}`));
    assert.deepEqual((await shard.search(searchRequest(cluster, 's1'))).imageIds, ['before the start']);

    const sequence = await cluster.publishRecord(recordOf('after', 2, CODE));
    await waitUntil('the notice', () =>
      notices.some(({ shardServer, positions }) => {
        const mine = positions.find(({ partition }) => partition === partitionOfId('after'));
        return shardServer === 's1' && (mine?.streamSequence ?? 0) >= sequence;
      }),
    );
    const hits = await shard.search(searchRequest(cluster, 's1'));
    assert.deepEqual([...hits.imageIds].sort(), ['after', 'before the start']);
    assert.deepEqual([...hits.distances], [1, 1]);

    const { records } = await shard.fetch({ imageIds: ['nothing', 'after', 'before the start'] });
    assert.deepEqual(
      records.map(({ imageId, revision, metadata, thumbnail, embedding }) => [
        imageId,
        revision,
        metadata?.label,
        thumbnail.length + embedding.length,
      ]),
      [
        ['after', 2, 'label of revision 2', 0],
        ['before the start', 1, 'label of revision 1', 0],
      ],
    );
    const full = await shard.fetch({ imageIds: ['after'], includeThumbnail: true, includeEmbedding: true });
    assert.deepEqual([full.records[0]?.thumbnail.length, full.records[0]?.embedding.length], [100, 3]);

    const stats = await shard.stats();
    assert.equal(stats.shardServer, 's1');
    assert.equal(stats.placementEpoch, 1);
    assert.equal(
      stats.replicas.reduce((sum, { images }) => sum + images, 0),
      2,
    );
    await cluster.state.followMembers();
    const member = await waitUntil('the member', () =>
      cluster.state.members().find(({ role }) => role === 'shard'),
    );
    assert.deepEqual([member.id, member.address], ['s1', `127.0.0.1:${shard.shard.port}`]);
  });

  it('refuses what it cannot answer, each with its own error', async (test) => {
    const cluster = await startTestCluster(test, ['s1', 's2']);
    const shard = await startTestShard(cluster, 's1');
    const request = searchRequest(cluster, 's1');
    const refusals: [string, ShardSearchRequest][] = [
      ['INVALID_K', { k: 0 }],
      ['INVALID_K', { k: 10_001 }],
      ['INVALID_K', { k: 1_000_000_000 }],
      ['CODE_LENGTH_MISMATCH', { code: { bits: Buffer.alloc(3), codeBits: 24 } }],
      ['CODE_LENGTH_MISMATCH', { code: { bits: Buffer.alloc(3), codeBits: 16 } }],
      ['CODE_LENGTH_MISMATCH', { code: null }],
      ['MODEL_VERSION_MISMATCH', { modelVersion: 'b'.repeat(64) }],
      ['STALE_PLACEMENT', { placementEpoch: 2 }],
      ['STALE_PLACEMENT', { partitions: [1] }],
      ['STALE_PLACEMENT', { partitions: [0, 4_000_000_000] }],
      ['INVALID_ARGUMENT', { partitions: [] }],
      ['INVALID_ARGUMENT', { ranking: 'RANKING_UNSPECIFIED' }],
    ];
    for (const [code, overrides] of refusals) {
      await assert.rejects(shard.search({ ...request, ...overrides }), hasCode(code), `${code} was expected`);
    }
    await assert.rejects(shard.fetch({ imageIds: [] }), hasCode('INVALID_ARGUMENT'));
    assert.equal((await shard.search(request)).count, 0);
  });

  it('waits for the positions of a token, and says SHARD_UNAVAILABLE where they do not come in time', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    const shard = await startTestShard(cluster, 's1');
    for (let i = 0; i < 50; i++) {
      const imageId = `image ${i}`;
      const partition = partitionOfId(imageId);
      const streamSequence = await cluster.publishRecord(recordOf(imageId, i + 1, CODE));
      const request = searchRequest(cluster, 's1', {
        partitions: [partition],
        token: [{ partition, streamSequence }],
      });
      assert.ok((await shard.search(request)).imageIds.includes(imageId), `${imageId} is seen`);
    }
    const future = searchRequest(cluster, 's1', { token: [{ partition: 0, streamSequence: 1_000_000 }] });
    await assert.rejects(shard.search(future, 2_000), hasCode('SHARD_UNAVAILABLE'));
  });

  it('goes on from its own position after a restart, with the same index', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    const first = await startTestShard(cluster, 's1');
    let sequence = 0;
    for (let i = 0; i < 60; i++) {
      sequence = await cluster.publishRecord(recordOf(`image ${i}`, i + 1, Buffer.from([i, 0])));
    }
    sequence = await cluster.publishRemoval('image 7', 100);
    await appliedTo(first, sequence);
    const before = await first.search(searchRequest(cluster, 's1'));
    await first.stop();
    sequence = await cluster.publishRecord(recordOf('while away', 101, CODE));
    const second = await startTestShard(cluster, 's1', first.dataDir);
    await appliedTo(second, sequence);
    const after = await second.search(searchRequest(cluster, 's1'));
    assert.equal(before.count, 59);
    assert.deepEqual(
      after.imageIds.filter((id) => id !== 'while away'),
      before.imageIds,
    );
    assert.ok(after.imageIds.includes('while away'));
  });

  it('follows on after nats-server was killed and restarted, again and again', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    const shard = await startTestShard(cluster, 's1');
    await cluster.state.followMembers();
    let applied = 0;
    for (let round = 0; round < 3; round++) {
      await cluster.nats.restart();
      const sequence = await waitUntil('publishing works again', () =>
        cluster.publishRecord(recordOf(`round ${round}`, round + 1, CODE)),
      );
      await appliedTo(shard, sequence);
      applied = sequence;
    }
    await waitUntil('its heartbeats are seen again', () => {
      const member = cluster.state.members().find(({ id }) => id === 's1');
      return Object.values(member?.positions ?? {}).includes(applied);
    });
    const { imageIds } = await shard.search(searchRequest(cluster, 's1'));
    assert.deepEqual([...imageIds].sort(), ['round 0', 'round 1', 'round 2']);
  });

  it('keeps its images and takes new ones when the log was lost and begun anew', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    const shard = await startTestShard(cluster, 's1');
    await cluster.publishRecord(recordOf('old', 500, CODE));
    await appliedTo(shard, await cluster.publishRecord(recordOf('changed', 501, CODE)));
    const manager = await cluster.connection.jetstreamManager();
    await manager.streams.delete(STREAM.codes);
    await ensureStreams(cluster.connection);
    // revisions begin low again, and must win all the same
    await cluster.publishRecord(recordOf('changed', 1, Buffer.from([0b111, 0])));
    await waitUntil('the new log is applied', async () => {
      const hits = await shard.search(searchRequest(cluster, 's1'));
      return hits.distances.includes(3);
    });
    const hits = await shard.search(searchRequest(cluster, 's1'));
    assert.deepEqual([...hits.imageIds], ['old', 'changed']);
  });

  it('fails with LOG_TRIMMED rather than go on with a hole', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    for (let i = 1; i <= 5; i++) await cluster.publishRecord(recordOf(`image ${i}`, i, CODE));
    const manager = await cluster.connection.jetstreamManager();
    await manager.streams.purge(STREAM.codes, { seq: 4 });
    await assert.rejects(startTestShard(cluster, 's1'), hasCode('LOG_TRIMMED'));
  });

  it('passes over damaged log entries and goes on', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    const shard = await startTestShard(cluster, 's1');
    const jetstream = cluster.connection.jetstream();
    await jetstream.publish(SUBJECT.codes(0), 'garbage');
    await jetstream.publish(SUBJECT.codesAll, '');
    await appliedTo(shard, await cluster.publishRecord(recordOf('x', 1, CODE)));
    assert.deepEqual((await shard.search(searchRequest(cluster, 's1'))).imageIds, ['x']);
  });

  it('is one of two that together answer the same bytes as one process with everything', async (test) => {
    const cluster = await startTestCluster(test, ['s1', 's2']);
    const shards = new Map([
      ['s1', await startTestShard(cluster, 's1')],
      ['s2', await startTestShard(cluster, 's2')],
    ]);
    const local = await openLocalShard(await temporaryFolder());
    cluster.undo(local.close);
    const random = new Random(7);
    let sequence = 0;
    for (let revision = 1; revision <= 300; revision++) {
      const record = recordOf(`image ${random.integer(200)}`, revision, Buffer.from([random.integer(4), 0]));
      sequence = await cluster.publishRecord(record);
      await local.applier.apply([recordEntry(sequence, record)]);
    }
    for (const shard of shards.values())
      await appliedTo(shard, await cluster.publishRemoval('image 0', 1_000));
    await local.applier.apply([removalEntry(sequence + 1, 'image 0', 1_000)]);
    for (const k of [1, 17, 10_000]) {
      const code = { bits: Buffer.from([random.integer(4), 0]), codeBits: 16 };
      const merged = await scatterSearch(cluster, shards, { k, code });
      const query = {
        code: code.bits,
        k,
        ranking: 'HAMMING' as const,
        partitions: local.applier.partitions(),
      };
      const { hits } = await local.search.search(query);
      assert.deepEqual(packHitList(merged), packHitList(hits));
    }
  });

  it('is listed and not serving while the cluster has no placement', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    const shard = await startTestShard(cluster, 'unplaced');
    const request = searchRequest(cluster, 's1');
    await assert.rejects(shard.search(request), hasCode('STALE_PLACEMENT'));
    assert.equal((await shard.stats()).replicas.length, 0);
  });
});
