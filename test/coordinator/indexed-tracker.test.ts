import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import {
  IndexedTracker,
  POLL_INTERVAL_MS,
  type IndexingProbe,
} from '../../src/coordinator/indexed-tracker.js';
import type { Clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';

const TIMEOUT_MS = 30_000;

/** A cluster of two partitions on two shard servers, as far as a tracker can tell. */
class FakeCluster implements IndexingProbe {
  nowMs = 0;
  replicas: readonly (readonly string[])[] = [['a'], ['b']];
  finished = new Set<number>();
  rejected = new Map<number, string>();
  last = [0, 0];
  positions = new Map<string, { partition: number; streamSequence: number }[]>();
  readonly clock: Clock = {
    nowMs: () => this.nowMs,
    monotonicMs: () => this.nowMs,
    sleep: () => Promise.resolve(),
  };

  finishedRevisions(revisions: readonly number[]) {
    return Promise.resolve(new Set(revisions.filter((revision) => this.finished.has(revision))));
  }
  deadLetterReasons() {
    const detail = (code: string) => ({ code, message: code, retryAfterMs: 0 });
    return Promise.resolve(new Map([...this.rejected].map(([revision, code]) => [revision, detail(code)])));
  }
  lastPositions() {
    return Promise.resolve(this.last.map((streamSequence, partition) => ({ partition, streamSequence })));
  }
  appliedPositions() {
    return Promise.resolve(this.positions);
  }
}

let cluster: FakeCluster;
let tracker: IndexedTracker;

beforeEach(() => {
  cluster = new FakeCluster();
  tracker = new IndexedTracker({
    probe: cluster,
    replicasOf: (partition) => cluster.replicas[partition] ?? [],
    clock: cluster.clock,
    log: createLog('test', 'test', 'silent'),
  });
});

const encoded = (revision: number, positions: [number, number][], rejectedCode?: string) =>
  tracker.encoded({
    revision,
    positions: positions.map(([partition, streamSequence]) => ({ partition, streamSequence })),
    rejected: rejectedCode === undefined ? null : { code: rejectedCode, message: 'm', retryAfterMs: 0 },
    images: positions.length,
  });
const applied = (shardServer: string, partition: number, streamSequence: number) =>
  tracker.applied({ shardServer, positions: [{ partition, streamSequence }] });

/** Whether the wait has ended, after everything that is under way in memory. */
async function hasEnded(wait: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const later = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([wait.catch(() => undefined), later])) !== pending;
}

describe('the tracker of indexed revisions', () => {
  it('waits for every partition of the revision', async () => {
    const wait = tracker.wait(7, TIMEOUT_MS);
    applied('a', 0, 10);
    encoded(7, [
      [0, 10],
      [1, 12],
    ]);
    applied('b', 1, 11);
    assert.equal(await hasEnded(wait), false);
    applied('b', 1, 12);
    assert.deepEqual(await wait, {
      positions: [
        { partition: 0, streamSequence: 10 },
        { partition: 1, streamSequence: 12 },
      ],
      images: 2,
    });
    assert.equal(tracker.isWaiting, false);
  });

  it('waits for every live replica of a partition, and for one at least', async () => {
    cluster.replicas = [['a', 'b'], []];
    const wait = tracker.wait(7, TIMEOUT_MS);
    const nowhere = tracker.wait(8, TIMEOUT_MS);
    encoded(7, [[0, 10]]);
    encoded(8, [[1, 11]]);
    applied('a', 0, 10);
    assert.equal(await hasEnded(wait), false);
    applied('b', 0, 10);
    assert.equal((await wait)?.images, 1);
    assert.equal(await hasEnded(nowhere), false);
    cluster.replicas = [[], ['a']];
    cluster.positions = new Map([['a', [{ partition: 1, streamSequence: 11 }]]]);
    cluster.nowMs += POLL_INTERVAL_MS;
    await tracker.poll();
    assert.equal((await nowhere)?.images, 1);
  });

  it('keeps notices that come before their publisher knows the revision', async () => {
    tracker.expect();
    encoded(7, [[0, 10]]);
    applied('a', 0, 10);
    const wait = tracker.wait(7, TIMEOUT_MS);
    tracker.unexpect();
    assert.equal((await wait)?.images, 1);
  });

  it('ends with the code of the dead letter', async () => {
    const wait = tracker.wait(7, TIMEOUT_MS);
    encoded(7, [], 'CORRUPT_IMAGE');
    await assert.rejects(wait, { code: 'CORRUPT_IMAGE' });
  });

  it('asks where notices got lost', async () => {
    const indexed = tracker.wait(7, TIMEOUT_MS);
    const rejected = tracker.wait(8, TIMEOUT_MS);
    const queued = tracker.wait(9, TIMEOUT_MS);
    cluster.finished = new Set([7, 8]);
    cluster.rejected.set(8, 'NO_PIXEL_DATA');
    cluster.last = [20, 15];
    await tracker.poll();
    assert.equal(await hasEnded(rejected), false, 'young waits are left to the notices');
    cluster.nowMs += POLL_INTERVAL_MS;
    await tracker.poll();
    await assert.rejects(rejected, { code: 'NO_PIXEL_DATA' });
    assert.equal(await hasEnded(indexed), false);
    cluster.positions = new Map([['a', [{ partition: 0, streamSequence: 20 }]]]);
    await tracker.poll();
    assert.equal(await hasEnded(indexed), false, 'no shard server has told of partition 1');
    cluster.positions.set('b', [{ partition: 1, streamSequence: 15 }]);
    await tracker.poll();
    assert.equal((await indexed)?.images, undefined);
    assert.equal(await hasEnded(queued), false);
    assert.equal(tracker.waiterCount, 1);
  });

  it('gives up when the client leaves or the time is over, and forgets the wait', async () => {
    const abort = new AbortController();
    const left = tracker.wait(7, TIMEOUT_MS, abort.signal);
    abort.abort();
    assert.equal(await left, undefined);
    assert.equal(await tracker.wait(8, 1), undefined);
    assert.equal(await tracker.wait(9, TIMEOUT_MS, abort.signal), undefined);
    assert.equal(tracker.waiterCount, 0);
  });
});
