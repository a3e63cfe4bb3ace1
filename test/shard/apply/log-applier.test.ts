import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { baseImageId } from '../../../src/core/image-id.js';
import type { ImageRecord, ImageRecord__Output } from '../../../src/generated/kinscan/v1/ImageRecord.js';
import { messageCodec } from '../../../src/runtime/proto.js';
import { AttributeNumbers } from '../../../src/shard/apply/attribute-numbers.js';
import { IndexFailure, LogApplier, type RawEntry } from '../../../src/shard/apply/log-applier.js';
import { fetchRecords } from '../../../src/shard/search/fetch-records.js';
import type { RecordStore } from '../../../src/shard/store/record-store.js';
import { KinscanError } from '../../../src/core/errors.js';
import { tieKeyOf } from '../../../src/core/tie-key.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';
import { BlobRecorder, openLocalShard, type LocalShard } from '../local-shard.js';
import { MODEL, PARTITION_COUNT, partitionOfId, recordEntry, recordOf, removalEntry } from '../records.js';

const PARTITIONS = Array.from({ length: PARTITION_COUNT }, (_, partition) => partition);
const recordCodec = messageCodec<ImageRecord, ImageRecord__Output>('ImageRecord');

async function testShard(test: TestContext): Promise<LocalShard & { reopen(): Promise<LocalShard> }> {
  const folder = await temporaryFolder();
  let shard = await openLocalShard(folder);
  test.after(() => shard.close());
  const reopen = async () => {
    await shard.close();
    shard = await openLocalShard(folder);
    return shard;
  };
  return { ...shard, reopen };
}

/** Everything that is searchable: id and distance from the code 0000, in canonical order. */
async function searchAll({ search, applier }: LocalShard): Promise<string[]> {
  const { hits } = await search.search({
    code: Buffer.alloc(2),
    k: 10_000,
    ranking: 'HAMMING',
    partitions: applier.partitions(),
  });
  return hits.imageIds.map((id, i) => `${id} at ${hits.distances[i]}`);
}

async function fetchRevisions(shard: LocalShard, imageIds: string[]): Promise<number[]> {
  const options = { imageIds, includeThumbnail: false, includeEmbedding: false };
  const records = await fetchRecords(shard.store, shard.applier, PARTITION_COUNT, options);
  return records.map(({ revision }) => revision);
}

const CODE_A = Buffer.from([0b1, 0]);
const CODE_B = Buffer.from([0b11, 0]);

describe('applying the log', () => {
  it('drops a revision that is older than the stored one', async (test) => {
    const shard = await testShard(test);
    await shard.applier.apply([recordEntry(1, recordOf('x', 7, CODE_B))]);
    const outcome = await shard.applier.apply([recordEntry(2, recordOf('x', 6, CODE_A))]);
    assert.equal(outcome.staleCount, 1);
    assert.deepEqual(await searchAll(shard), ['x at 2']);
    assert.deepEqual(await fetchRevisions(shard, ['x']), [7]);
  });

  it('follows a code that goes from A to B and back to A', async (test) => {
    const shard = await testShard(test);
    await shard.applier.apply([recordEntry(1, recordOf('x', 1, CODE_A))]);
    await shard.applier.apply([recordEntry(2, recordOf('x', 2, CODE_B))]);
    assert.deepEqual(await searchAll(shard), ['x at 2']);
    await shard.applier.apply([recordEntry(3, recordOf('x', 3, CODE_A))]);
    assert.deepEqual(await searchAll(shard), ['x at 1']);
    assert.deepEqual(await fetchRevisions(shard, ['x']), [3]);
    assert.deepEqual(await searchAll(await shard.reopen()), ['x at 1']);
  });

  it('keeps the last of several entries for one id in one batch', async (test) => {
    const shard = await testShard(test);
    await shard.applier.apply([
      recordEntry(1, recordOf('x', 1, CODE_A)),
      recordEntry(2, recordOf('x', 3, CODE_B)),
      recordEntry(3, recordOf('x', 2, CODE_A)),
      recordEntry(4, recordOf('y', 4, CODE_A)),
      removalEntry(5, 'y', 5),
    ]);
    assert.deepEqual(await searchAll(shard), ['x at 2']);
    assert.equal(shard.applier.imageCount(partitionOfId('x')), 1);
    assert.deepEqual(await fetchRevisions(shard, ['x', 'y']), [3]);
  });

  it('keeps a late, older record out after a removal, and lets a newer one in', async (test) => {
    const shard = await testShard(test);
    await shard.applier.apply([recordEntry(1, recordOf('x', 1, CODE_A)), removalEntry(2, 'x', 5)]);
    assert.deepEqual(await searchAll(shard), []);
    const reopened = await shard.reopen();
    await reopened.applier.apply([recordEntry(3, recordOf('x', 4, CODE_A))]);
    assert.deepEqual(await searchAll(reopened), []);
    await reopened.applier.apply([recordEntry(4, recordOf('x', 5, CODE_B))]);
    assert.deepEqual(await searchAll(reopened), ['x at 2']);
  });

  it('removes the frames of an instance by its id, but not newer ones nor those of other instances', async (test) => {
    const shard = await testShard(test);
    const frames = [1, 2, 3, 4, 5, 6, 7, 8];
    await shard.applier.apply([
      ...frames.map((frame) => recordEntry(frame, recordOf(`s#${frame}`, 10, CODE_A))),
      recordEntry(9, recordOf('s2#1', 10, CODE_A)),
      recordEntry(10, recordOf('s', 10, CODE_A)),
      recordEntry(11, recordOf('s#9', 20, CODE_A)),
    ]);
    // the re-ingest of the instance with two frames only
    await shard.applier.apply([
      removalEntry(12, 's', 15),
      recordEntry(13, recordOf('s#1', 15, CODE_B)),
      recordEntry(14, recordOf('s#2', 15, CODE_B)),
    ]);
    assert.deepEqual((await searchAll(shard)).sort(), ['s#1 at 2', 's#2 at 2', 's#9 at 1', 's2#1 at 1']);
    // a frame of the first ingest that comes late
    await shard.applier.apply([recordEntry(15, recordOf('s#4', 10, CODE_A))]);
    const reopened = await shard.reopen();
    assert.deepEqual((await searchAll(reopened)).sort(), ['s#1 at 2', 's#2 at 2', 's#9 at 1', 's2#1 at 1']);
    await reopened.applier.apply([removalEntry(16, 's', 30)]);
    assert.deepEqual(await searchAll(reopened), ['s2#1 at 1']);
  });

  it('passes over damaged entries, goes on behind them, and names their sequence numbers', async (test) => {
    const shard = await testShard(test);
    const wrongLength = recordOf('long', 3, Buffer.from([1, 2, 3]));
    const misrouted: RawEntry = {
      ...recordEntry(4, recordOf('x', 4, CODE_A)),
      partition: (partitionOfId('x') + 1) % PARTITION_COUNT,
    };
    const outcome = await shard.applier.apply([
      { sequence: 1, partition: 0, bytes: Buffer.from('not protobuf') },
      { sequence: 2, partition: 1, bytes: new Uint8Array(0) },
      recordEntry(3, wrongLength),
      misrouted,
      recordEntry(5, recordOf('', 5, CODE_A)),
      recordEntry(6, recordOf('x', 0, CODE_A)),
      recordEntry(7, recordOf('x', 7, CODE_A)),
    ]);
    assert.deepEqual(outcome.corruptSequences, [1, 2, 3, 4, 5, 6]);
    assert.equal(outcome.appliedCount, 1);
    assert.deepEqual(await searchAll(shard), ['x at 1']);
    assert.deepEqual(
      PARTITIONS.map((partition) => shard.applier.board.sequenceOf(partition)),
      [7, 7, 7, 7],
    );
  });

  it('stores records of another model version without ever comparing them', async (test) => {
    const shard = await testShard(test);
    const other = { modelVersion: 'b'.repeat(64), code: { bits: Buffer.alloc(6), codeBits: 48 } };
    const outcome = await shard.applier.apply([recordEntry(1, recordOf('x', 1, CODE_A, other))]);
    assert.equal(outcome.foreignCount, 1);
    assert.deepEqual(await searchAll(shard), []);
    assert.deepEqual(await fetchRevisions(shard, ['x']), [1]);
    assert.equal(shard.applier.foreignImageCount(), 1);
    const reopened = await shard.reopen();
    assert.deepEqual([await searchAll(reopened), reopened.applier.foreignImageCount()], [[], 1]);
    await reopened.applier.apply([recordEntry(2, recordOf('x', 2, CODE_A))]);
    assert.deepEqual([await searchAll(reopened), reopened.applier.foreignImageCount()], [['x at 1'], 0]);
  });

  it('stores a record byte for byte as it was published, fields of newer versions included', async (test) => {
    const shard = await testShard(test);
    const record = recordCodec.encode(recordOf('x', 1, CODE_A));
    // field 1000, a varint, that this version does not know
    const newer = Buffer.concat([record, Buffer.from([0xc0, 0x3e, 0x05])]);
    const length = Buffer.from([(newer.length & 0x7f) | 0x80, newer.length >> 7]);
    const bytes = Buffer.concat([Buffer.from([0x0a]), length, newer]);
    await shard.applier.apply([{ sequence: 1, partition: partitionOfId('x'), bytes }]);
    const ref = { partition: partitionOfId('x'), tieKey: tieKeyOf('x'), imageId: 'x' };
    assert.deepEqual(await shard.store.readRecords([ref]), [newer]);
  });
});

describe('a write that fails', () => {
  /** The shard's store, whose next commit fails: before or after it has been written. */
  function failingOnce(store: RecordStore, when: 'before' | 'after'): RecordStore {
    let failed = false;
    const commit: RecordStore['commit'] = async (change) => {
      if (failed || when === 'after') await store.commit(change);
      if (!failed) {
        failed = true;
        throw new KinscanError('STORAGE_FULL', 'no room');
      }
    };
    return new Proxy(store, {
      get: (target, key) => {
        if (key === 'commit') return commit;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  async function applierOver(shard: LocalShard, store: RecordStore): Promise<LogApplier> {
    const applier = new LogApplier({
      attributes: await AttributeNumbers.load(store),
      blobEvents: new BlobRecorder(),
      store,
      index: shard.index,
      model: MODEL,
      partitionCount: PARTITION_COUNT,
    });
    await applier.host(...PARTITIONS);
    return applier;
  }

  it('is done again where it did not reach the disk, while images are found all the time', async (test) => {
    const shard = await testShard(test);
    await shard.applier.apply([recordEntry(1, recordOf('x', 1, CODE_A))]);
    const applier = await applierOver(shard, failingOnce(shard.store, 'before'));
    const batch = [recordEntry(2, recordOf('x', 2, CODE_B))];
    await assert.rejects(applier.apply(batch), /no room/);
    assert.deepEqual(await searchAll(shard), ['x at 1']);
    const [outcome, found] = await Promise.all([applier.apply(batch), searchAll(shard)]);
    assert.equal(outcome.staleCount, 0);
    assert.match(String(found), /^x at [12]$/);
    assert.deepEqual(await searchAll(shard), ['x at 2']);
    assert.deepEqual(await searchAll(await shard.reopen()), ['x at 2']);
  });

  it('calls for a restart where it did reach the disk', async (test) => {
    const shard = await testShard(test);
    const applier = await applierOver(shard, failingOnce(shard.store, 'after'));
    const batch = [recordEntry(1, recordOf('x', 1, CODE_A))];
    await assert.rejects(applier.apply(batch), /no room/);
    await assert.rejects(applier.apply(batch), IndexFailure);
    assert.deepEqual(await searchAll(await shard.reopen()), ['x at 1']);
  });
});

describe('applying any log', () => {
  it('gives the state of the greatest revisions, whatever the batches, replays and restarts', async () => {
    const ids = ['a', 'b', 'a#1', 'a#2', 'a#3', 'b#1'];
    const step = fc.record({
      kind: fc.constantFrom('record', 'record', 'record', 'removal'),
      imageId: fc.constantFrom(...ids),
      revision: fc.integer({ min: 1, max: 12 }),
    });
    const plan = fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 40 }),
      batchLengths: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 10 }),
      replayFrom: fc.nat({ max: 40 }),
      restart: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ steps, batchLengths, replayFrom, restart }) => {
        const folder = await temporaryFolder();
        const entries = steps.map(({ kind, imageId, revision }, i) =>
          kind === 'record'
            ? recordEntry(i + 1, recordOf(imageId, revision, codeOfRevision(revision)))
            : removalEntry(
                i + 1,
                imageId,
                revision,
                imageId.includes('#') ? partitionOfId(imageId) : undefined,
              ),
        );
        let shard = await openLocalShard(folder);
        let batches = 0;
        const applyAll = async (from: number) => {
          for (let at = from; at < entries.length;) {
            const length = batchLengths[batches++ % batchLengths.length] as number;
            await shard.applier.apply(entries.slice(at, at + length));
            at += length;
          }
        };
        await applyAll(0);
        if (restart) {
          await shard.close();
          shard = await openLocalShard(folder);
        }
        // as if the position were older than what is stored
        const from = Math.min(replayFrom, entries.length);
        for (const partition of PARTITIONS) {
          shard.applier.restartAt(partition, { ...shard.applier.positionOf(partition), sequence: from });
        }
        await applyAll(from);
        const found = await searchAll(shard);
        const counts = PARTITIONS.reduce((sum, partition) => sum + shard.applier.imageCount(partition), 0);
        await shard.close();
        assert.deepEqual(found.sort(), expectedAfter(steps));
        assert.equal(counts, found.length);
      }),
      { numRuns: 25 },
    );
  });
});

/** A code at distance `revision` from 0. */
function codeOfRevision(revision: number): Uint8Array {
  const bits = (1 << revision) - 1;
  return Uint8Array.from([bits & 0xff, bits >> 8]);
}

/** The same rules in the plainest way: entry by entry over a map. */
function expectedAfter(steps: readonly { kind: string; imageId: string; revision: number }[]): string[] {
  const live = new Map<string, number>();
  const removedBefore = new Map<string, number>();
  for (const { kind, imageId, revision } of steps) {
    const limit = Math.max(removedBefore.get(imageId) ?? 0, removedBefore.get(baseImageId(imageId)) ?? 0);
    if (kind === 'record') {
      if (revision >= limit && revision > (live.get(imageId) ?? 0)) live.set(imageId, revision);
      continue;
    }
    removedBefore.set(imageId, Math.max(revision, removedBefore.get(imageId) ?? 0));
    for (const [id, of] of live) {
      if ((id === imageId || baseImageId(id) === imageId) && of < revision) live.delete(id);
    }
  }
  return [...live].map(([id, revision]) => `${id} at ${revision}`).sort();
}

describe('a crash', () => {
  it('in the middle of applying loses nothing and applies nothing twice', async (test) => {
    const folder = await temporaryFolder();
    const total = 2_000;
    const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
    const script = `
      import { openLocalShard } from ${module('../local-shard.js')};
      import { recordEntry, recordOf } from ${module('../records.js')};
      const { applier, close } = await openLocalShard(${JSON.stringify(folder)});
      let sequence = Math.min(...applier.partitions().map((partition) => applier.positionOf(partition).sequence));
      while (sequence < ${total}) {
        const batch = [];
        while (batch.length < 7 && sequence < ${total}) {
          sequence++;
          batch.push(recordEntry(sequence, recordOf('image ' + (sequence % 700), sequence, Buffer.from([sequence & 255, 1]))));
        }
        await applier.apply(batch);
        process.stdout.write(sequence + '\\n');
      }
      await close(); process.exit(0);`;
    let acknowledged = 0;
    let kills = 0;
    for (let done = false; !done;) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const killAt = acknowledged + 300;
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        const lines = text.trim().split('\n');
        const seen = Number(lines.at(-1));
        if (Number.isFinite(seen)) acknowledged = Math.max(acknowledged, seen);
        if (acknowledged >= killAt && kills < 4) child.kill('SIGKILL');
      });
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
      if (signal === 'SIGKILL') kills++;
      done = code === 0;
      assert.ok(done || signal === 'SIGKILL', `the child ended with ${code ?? signal}`);
      if (done) break;
      // what was acknowledged before the kill is there after it
      const shard = await openLocalShard(folder);
      assert.ok(PARTITIONS.every((partition) => shard.applier.board.sequenceOf(partition) >= acknowledged));
      await shard.close();
    }
    assert.equal(kills, 4);
    const shard = await openLocalShard(folder);
    test.after(() => shard.close());
    const found = await searchAll(shard);
    assert.equal(found.length, 700);
    assert.equal(new Set(found).size, 700);
    const newest = Array.from({ length: 700 }, (_, i) => total - i);
    const ids = newest.map((sequence) => `image ${sequence % 700}`);
    assert.deepEqual(await fetchRevisions(shard, ids), newest);
  });
});
