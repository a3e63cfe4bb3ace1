import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FlowLimiter } from '../../src/coordinator/flow-limiter.js';

describe('the flow limiter', () => {
  it('never lets more through than its limits, loses nobody, and keeps the order of arrival', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 40 }),
        async (countMax, bytesMax, sizes) => {
          const limiter = new FlowLimiter({ countMax, bytesMax });
          const admitted: number[] = [];
          const held: number[] = [];
          const waits = sizes.map(async (bytes, index) => {
            assert.equal(await limiter.acquire(bytes), true);
            admitted.push(index);
            held.push(bytes);
          });
          for (let step = 0; step < sizes.length; step++) {
            await Promise.resolve();
            await new Promise((resolve) => setImmediate(resolve));
            assert.ok(limiter.count <= countMax);
            assert.ok(limiter.bytes <= bytesMax || limiter.count === 1);
            const bytes = held.shift();
            if (bytes !== undefined) limiter.release(bytes);
          }
          await Promise.all(waits);
          for (const bytes of held) limiter.release(bytes);
          assert.deepEqual(
            admitted,
            sizes.map((_, index) => index),
          );
          assert.deepEqual([limiter.count, limiter.bytes], [0, 0]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('lets one item above the limit pass alone', async () => {
    const limiter = new FlowLimiter({ countMax: 4, bytesMax: 10 });
    assert.equal(await limiter.acquire(1_000), true);
    assert.equal(limiter.tryAcquire(0), false);
    limiter.release(1_000);
    assert.equal(limiter.tryAcquire(0), true);
  });

  it('takes one that gave up out of the line, so that those behind it go on', async () => {
    const limiter = new FlowLimiter({ countMax: 2, bytesMax: 10 });
    assert.equal(await limiter.acquire(5), true);
    const abort = new AbortController();
    const large = limiter.acquire(10, abort.signal);
    const small = limiter.acquire(1);
    abort.abort();
    assert.deepEqual(await Promise.all([large, small]), [false, true]);
    assert.deepEqual([limiter.count, limiter.bytes], [2, 6]);
    assert.equal(await limiter.acquire(0, abort.signal), false);
  });
});
