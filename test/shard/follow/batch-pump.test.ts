import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Clock } from '../../../src/runtime/clock.js';
import { BatchPump } from '../../../src/shard/follow/batch-pump.js';

/** A clock whose delays last until the test ends them. */
class HeldClock implements Clock {
  readonly delays: (() => void)[] = [];
  nowMs = () => 0;
  monotonicMs = () => 0;

  sleep(_delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.delays.push(resolve);
      signal?.addEventListener('abort', () => resolve());
    });
  }

  endDelays(): void {
    for (const end of this.delays.splice(0)) end();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the batch pump', () => {
  it('hands over every entry once and in order, in batches within the limit, one at a time', async () => {
    const plan = fc.record({ entries: fc.nat({ max: 60 }), batchLengthMax: fc.integer({ min: 1, max: 7 }) });
    await fc.assert(
      fc.asyncProperty(plan, fc.scheduler(), async ({ entries, batchLengthMax }, scheduler) => {
        const handled: number[] = [];
        let running = 0;
        const pump = new BatchPump<number>({
          batchLengthMax,
          batchDelayMs: 0,
          clock: new HeldClock(),
          handle: async (batch) => {
            assert.equal(++running, 1);
            assert.ok(batch.length >= 1 && batch.length <= batchLengthMax);
            await scheduler.schedule(Promise.resolve());
            handled.push(...batch);
            running--;
          },
        });
        const pushing = (async () => {
          for (let i = 0; i < entries; i++) {
            await pump.push(i);
            assert.ok(pump.length < 2 * batchLengthMax);
          }
        })();
        await scheduler.waitFor(pushing);
        while (handled.length < entries) {
          await turn();
          if (scheduler.count() > 0) await scheduler.waitOne();
        }
        assert.deepEqual(handled, [...Array(entries).keys()]);
      }),
      { numRuns: 50 },
    );
  });

  it('waits for more, but not once a batch is full', async () => {
    const clock = new HeldClock();
    const batches: number[][] = [];
    const pump = new BatchPump<number>({
      batchLengthMax: 3,
      batchDelayMs: 10,
      clock,
      handle: async (batch) => void batches.push([...batch]),
    });
    await pump.push(1);
    await pump.push(2);
    await turn();
    assert.deepEqual(batches, []);
    clock.endDelays();
    await turn();
    assert.deepEqual(batches, [[1, 2]]);
    await pump.push(3);
    await pump.push(4);
    await pump.push(5);
    await turn();
    assert.deepEqual(batches, [
      [1, 2],
      [3, 4, 5],
    ]);
  });

  it('makes push fail after handling has failed, and lets go of a push that waited', async () => {
    let fail: (error: Error) => void = () => undefined;
    const pump = new BatchPump<number>({
      batchLengthMax: 1,
      batchDelayMs: 0,
      clock: new HeldClock(),
      handle: () => new Promise<void>((_, reject) => (fail = reject)),
    });
    await pump.push(1);
    await turn();
    await pump.push(2);
    const waiting = pump.push(3);
    await turn();
    fail(new Error('no'));
    await assert.rejects(waiting, /no/);
    await assert.rejects(pump.push(4), /no/);
  });

  it('forgets what waits when it is discarded, and waits for what is under way', async () => {
    const clock = new HeldClock();
    const batches: number[][] = [];
    let finish: () => void = () => undefined;
    const pump = new BatchPump<number>({
      batchLengthMax: 2,
      batchDelayMs: 0,
      clock,
      handle: async (batch) => {
        await new Promise<void>((resolve) => (finish = resolve));
        batches.push([...batch]);
      },
    });
    await pump.push(1);
    await turn();
    await pump.push(2);
    let discarded = false;
    const discarding = pump.discard().then(() => (discarded = true));
    await turn();
    assert.equal(discarded, false);
    finish();
    await discarding;
    assert.deepEqual(batches, [[1]]);
  });
});
