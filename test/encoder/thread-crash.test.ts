import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { AssertionError, KinscanError } from '../../src/core/errors.js';
import { isolateCrashes } from '../../src/encoder/thread-crash.js';
import { WorkerPool } from '../../src/runtime/worker-pool.js';

const unexpected = (error: unknown) => assert.fail(error as Error);

describe('a batch whose worker thread dies', () => {
  const pool = new WorkerPool<readonly number[], number[]>({
    file: new URL('./dying-worker.js', import.meta.url),
    threads: 1,
    queueLengthMax: 1,
  });
  after(() => pool.close());

  it('is tried again item by item, so that only the deadly one fails', async () => {
    const crashes: unknown[] = [];
    const results = await isolateCrashes<number, number>(
      [1, 2, 13, 4],
      (items) => pool.run(items),
      (error) => crashes.push(error),
    );
    assert.deepEqual([results[0], results[1], results[3]], [2, 4, 8]);
    assert.ok(results[2] instanceof KinscanError);
    assert.equal(results[2].code, 'INTERNAL');
    assert.equal(crashes.length, 2, 'the batch, then the item alone');
  });

  it('leaves a working pool behind', async () => {
    assert.deepEqual(await isolateCrashes([5], (items) => pool.run(items), unexpected), [10]);
  });
});

describe('a batch that is refused', () => {
  it('is not tried again: a closed pool and a failed assertion are no crashes', async () => {
    for (const error of [new KinscanError('DRAINING', 'closed'), new AssertionError('ours')]) {
      await assert.rejects(
        isolateCrashes([1, 2], () => Promise.reject(error), unexpected),
        (thrown) => thrown === error,
      );
    }
  });
});
