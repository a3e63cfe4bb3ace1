import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { IngestRequest } from '../../src/generated/kinscan/v1/IngestRequest.js';
import type { IngestResponse__Output } from '../../src/generated/kinscan/v1/IngestResponse.js';
import type { SearchResponse__Output } from '../../src/generated/kinscan/v1/SearchResponse.js';
import { phantomPng } from '../encoder/test-images.js';
import { startHarness, TIMEOUT_MS, type CoordinatorHarness } from './coordinator-harness.js';

const KIB = 1024;
const MIB = 1024 * KIB;

async function withHarness(
  options: Parameters<typeof startHarness>[0],
  body: (harness: CoordinatorHarness) => Promise<void>,
): Promise<void> {
  const harness = await startHarness(options);
  try {
    await body(harness);
  } finally {
    await harness.stop();
  }
}

const queued = (requestId: string, bytes: number): IngestRequest => ({
  requestId,
  imageId: requestId,
  content: randomBytes(bytes),
});

describe('a coordinator at its limits', () => {
  it('refuses images with STORAGE_FULL while the queue is full, and goes on', async () => {
    const coordinatorFlags = ['--images-stream-bytes-max', `${MIB}`];
    await withHarness({ encoders: 0, shards: 0, coordinatorFlags }, async (harness) => {
      const requests = Array.from({ length: 30 }, (_, n) => queued(`${n}`, 100 * KIB));
      requests.push(queued('object', 2 * MIB));
      const responses = await harness.ingest(requests);
      assert.equal(responses.size, 31);
      const accepted = [...responses.values()].filter((response) => response.accepted);
      assert.ok(accepted.length > 0 && accepted.length <= 10, `${accepted.length} accepted`);
      for (const { rejected } of responses.values()) {
        if (!rejected) continue;
        assert.equal(rejected.code, 'STORAGE_FULL');
        assert.ok(rejected.retryAfterMs > 0);
      }
      assert.equal(responses.get('object')?.rejected?.code, 'STORAGE_FULL');
      assert.equal((await harness.status()).imagesQueued, accepted.length);
    });
  });

  it('says LOG_UNAVAILABLE where NATS stays away, and takes images again when it is back', async () => {
    const coordinatorFlags = ['--publish-timeout-ms', '1000'];
    await withHarness({ encoders: 0, shards: 0, coordinatorFlags }, async (harness) => {
      await harness.nats.kill();
      const responses = await harness.ingest([queued('small', KIB), queued('object', 2 * MIB)]);
      for (const id of ['small', 'object']) {
        assert.equal(responses.get(id)?.rejected?.code, 'LOG_UNAVAILABLE');
        assert.ok((responses.get(id)?.rejected?.retryAfterMs ?? 0) > 0);
      }
      await assert.rejects(harness.status(), { code: 'LOG_UNAVAILABLE' });
      await harness.nats.restart();
      for (;;) {
        const again = await harness.ingest([queued('again', KIB)]);
        if (again.get('again')?.accepted) break;
      }
    });
  });

  it('answers everything through small windows, however much is sent at once', async () => {
    const flags = {
      '--publishes-in-flight-max': 3,
      '--bytes-in-flight-max': 64 * KIB,
      '--indexed-waiters-max': 5,
    };
    const coordinatorFlags = Object.entries(flags).flatMap(([flag, value]) => [flag, `${value}`]);
    await withHarness({ coordinatorFlags }, async (harness) => {
      const image = Buffer.from(await phantomPng(1));
      const requests = Array.from({ length: 150 }, (_, n): IngestRequest => ({
        requestId: `${n}`,
        imageId: `${n}`,
        content: image,
        wait: n % 3 === 0 ? 'INGEST_WAIT_INDEXED' : 'INGEST_WAIT_QUEUED',
      }));
      const [responses] = await Promise.all([
        harness.ingest(requests),
        harness.ingest([{ ...queued('large', 3 * MIB), imageId: 'large' }]),
      ]);
      assert.equal([...responses.values()].filter(({ accepted }) => accepted).length, 150);
    });
  });

  it('refuses streams and queries beyond its limits with OVERLOADED and a hint', async () => {
    const coordinatorFlags = ['--ingest-streams-max', '1', '--searches-in-flight-max', '1'];
    coordinatorFlags.push('--range-streams-max', '1');
    await withHarness({ coordinatorFlags }, async (harness) => {
      const image = Buffer.from(await phantomPng(1));
      const held = harness.retrieval.duplex<IngestRequest, IngestResponse__Output>('Ingest');
      const first = new Promise((resolve) => held.once('data', resolve));
      held.write({ requestId: 'a', imageId: 'a', content: image, wait: 'INGEST_WAIT_INDEXED' });
      await first;
      await assert.rejects(harness.ingest([queued('b', KIB)]), { code: 'OVERLOADED' });
      held.end();
      await new Promise((resolve) => held.once('end', resolve).resume());
      assert.equal((await harness.ingest([queued('c', KIB)])).size, 1);

      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, () =>
          harness.retrieval.call<object, SearchResponse__Output>(
            'Search',
            { image, k: 1 },
            { timeoutMs: TIMEOUT_MS },
          ),
        ),
      );
      const ranges = await Promise.allSettled(
        Array.from({ length: 20 }, async () => {
          const call = harness.retrieval.serverStream('SearchRange', { image });
          for await (const _page of call);
        }),
      );
      assert.ok(ranges.some(({ status }) => status === 'fulfilled'));
      const ends = ranges.flatMap((end) => (end.status === 'rejected' ? [end.reason as Error] : []));
      assert.ok(ends.length > 0);
      for (const end of ends) assert.equal(harness.retrieval.streamError(end).code, 'OVERLOADED');

      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      assert.ok(refused.length > 0 && refused.length < outcomes.length);
      for (const { reason } of refused) {
        const { code, retryAfterMs } = reason as { code: string; retryAfterMs: number };
        assert.equal(code, 'OVERLOADED');
        assert.ok(retryAfterMs > 0);
      }
    });
  });
});
