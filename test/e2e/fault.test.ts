import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { startTemporaryCluster, type TemporaryCluster } from '../../bench/temporary-cluster.js';
import { findFiles } from '../../src/cli/ingest/find-files.js';
import { IngestClient } from '../../src/cli/ingest/ingest-client.js';
import { ingestFiles } from '../../src/cli/ingest/ingest-files.js';
import { openCoordinatorClient } from '../../src/cli/options.js';
import type { SearchResponse__Output } from '../../src/generated/kinscan/v1/SearchResponse.js';
import type { StatusResponse__Output } from '../../src/generated/kinscan/v1/StatusResponse.js';
import { writeSampleArchive } from '../../src/imaging/sample-archive.js';
import { systemClock } from '../../src/runtime/clock.js';
import type { GrpcClient } from '../../src/runtime/grpc-client.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitUntil } from '../helpers/wait-until.js';

const IMAGES = 1200;
const VICTIMS = ['coordinator', 'encoder', 'shard', 'nats'] as const;

describe('SIGKILL in mid-ingest of the coordinator, the encoder, a shard server and nats-server in turn', () => {
  it('loses no acknowledged image and counts none twice', async () => {
    const folder = path.join(await temporaryFolder(), 'archive');
    await writeSampleArchive(folder, { count: IMAGES, seed: 7 });
    const cluster = await startTemporaryCluster();
    const grpc = openCoordinatorClient(cluster.address);
    const client = new IngestClient({ client: grpc, clock: systemClock, retryTimeoutMs: 120_000 });
    try {
      const killed = await ingestWithKills(client, folder, cluster);
      assert.deepEqual(killed, [...VICTIMS], 'every role was killed while images were still streaming in');
      await waitUntil('every image to be searchable', async () => (await statusOf(grpc)).images === IMAGES, {
        timeoutMs: 120_000,
      });
      await assertEachImageOnce(grpc, folder);
      assert.equal((await statusOf(grpc)).deadLetters, 0);
      await waitUntil('the queue to be empty', async () => (await statusOf(grpc)).imagesQueued === 0, {
        timeoutMs: 120_000,
      });
    } finally {
      client.close();
      grpc.close();
      await cluster.stop();
    }
  });
});

/** Kills one role after another as the acknowledgements come in. */
async function ingestWithKills(
  client: IngestClient,
  folder: string,
  cluster: TemporaryCluster,
): Promise<string[]> {
  const killed: string[] = [];
  const report = await ingestFiles(client, findFiles(folder), {
    wait: 'INGEST_WAIT_QUEUED',
    labelFromFolder: true,
    concurrency: 16,
    onProgress: ({ accepted }) => {
      const victim = VICTIMS[killed.length];
      if (victim === undefined || accepted < ((killed.length + 1) * IMAGES) / (VICTIMS.length + 2)) return;
      process.kill(cluster.pids[victim][0] as number, 'SIGKILL');
      killed.push(victim);
    },
  });
  assert.deepEqual(report.failed, []);
  assert.equal(report.accepted, IMAGES);
  return killed;
}

async function assertEachImageOnce(grpc: GrpcClient, folder: string): Promise<void> {
  const expected: string[] = [];
  for await (const file of findFiles(folder)) expected.push(file.relativePath);
  const { hits } = await grpc.call<object, SearchResponse__Output>(
    'Search',
    { imageId: expected[0], k: 10_000, requireComplete: true },
    { timeoutMs: 30_000 },
  );
  assert.deepEqual(hits.map((hit) => hit.imageId).sort(), expected.sort());
}

async function statusOf(grpc: GrpcClient): Promise<StatusResponse__Output> {
  return grpc.call<object, StatusResponse__Output>('Status', {}, { timeoutMs: 10_000 });
}
