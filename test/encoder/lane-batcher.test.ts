import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KinscanError } from '../../src/core/errors.js';
import { LaneBatcher, type Lane, type LaneBatcherOptions } from '../../src/encoder/lane-batcher.js';

interface Run {
  readonly items: readonly number[];
  readonly lane: Lane;
  finish(results?: readonly (number | KinscanError)[]): void;
  fail(error: Error): void;
}

/** A batcher whose runs end when the test says so. */
function heldBatcher(options: Partial<LaneBatcherOptions<number, number>> = {}) {
  const runs: Run[] = [];
  const batcher = new LaneBatcher<number, number>({
    run: (items, lane) =>
      new Promise((resolve, reject) => {
        runs.push({
          items,
          lane,
          finish: (results = items.map((item) => item * 10)) => resolve(results),
          fail: reject,
        });
      }),
    concurrency: 1,
    batchLengthMax: 4,
    waitMaxMs: 0,
    queueLengthMax: 100,
    ...options,
  });
  return { batcher, runs };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the lane batcher', () => {
  it('runs queries before bulk items that came earlier', async () => {
    const { batcher, runs } = heldBatcher();
    const all = [1, 2, 3].map((item) => batcher.submit(item, 'bulk'));
    all.push(batcher.submit(4, 'query'), batcher.submit(5, 'query'));
    for (let i = 0; i < 3; i++) {
      runs[i]?.finish();
      await settled();
    }
    assert.deepEqual(
      runs.map(({ items, lane }) => [lane, ...items]),
      [
        ['bulk', 1],
        ['query', 4, 5],
        ['bulk', 2, 3],
      ],
    );
    assert.deepEqual(await Promise.all(all), [10, 20, 30, 40, 50]);
  });

  it('shares what waits among the workers, up to the longest batch', async () => {
    const { batcher, runs } = heldBatcher({ concurrency: 2 });
    const all = Array.from({ length: 12 }, (_, item) => batcher.submit(item, 'bulk'));
    for (let i = 0; i < runs.length; i++) {
      runs[i]?.finish();
      await settled();
    }
    assert.deepEqual(
      runs.map(({ items }) => items.length),
      // one at once for each worker, then half of what waits, at most 4
      [1, 1, 4, 3, 2, 1],
    );
    assert.equal((await Promise.all(all)).length, 12);
  });

  it('waits for company where told to, but not longer than the limit', async () => {
    const { batcher, runs } = heldBatcher({ waitMaxMs: 5 });
    const first = batcher.submit(1, 'bulk');
    const second = batcher.submit(2, 'bulk');
    assert.equal(runs.length, 0);
    while (runs.length === 0) await settled();
    assert.deepEqual(runs[0]?.items, [1, 2]);
    runs[0].finish();
    assert.deepEqual(await Promise.all([first, second]), [10, 20]);
  });

  it('fails an item alone where the run says so, and all of a batch where the run throws', async () => {
    const { batcher, runs } = heldBatcher();
    const first = batcher.submit(0, 'bulk');
    const batch = [1, 2].map((item) => batcher.submit(item, 'bulk').catch((error: unknown) => error));
    runs[0]?.fail(new Error('all of it'));
    await assert.rejects(first, /all of it/);
    await settled();
    const fault = new KinscanError('CORRUPT_IMAGE', 'this one');
    runs[1]?.finish([fault, 20]);
    assert.deepEqual(await Promise.all(batch), [fault, 20]);
  });

  it('drops an item whose signal is aborted while it waits', async () => {
    const { batcher, runs } = heldBatcher();
    const abort = new AbortController();
    const first = batcher.submit(1, 'query');
    const second = batcher.submit(2, 'query', abort.signal);
    const third = batcher.submit(3, 'query');
    abort.abort(new KinscanError('DEADLINE_EXCEEDED', 'late'));
    await assert.rejects(second, { code: 'DEADLINE_EXCEEDED' });
    runs[0]?.finish();
    await settled();
    assert.deepEqual(runs[1]?.items, [3]);
    runs[1].finish();
    assert.deepEqual(await Promise.all([first, third]), [10, 30]);
  });

  it('refuses what its queue does not hold', async () => {
    const { batcher } = heldBatcher({ queueLengthMax: 2 });
    for (const item of [1, 2, 3]) void batcher.submit(item, 'bulk');
    await assert.rejects(batcher.submit(4, 'query'), { code: 'OVERLOADED' });
  });

  it('answers every item once with its own result, however items arrive', async () => {
    const load = fc.record({
      concurrency: fc.integer({ min: 1, max: 4 }),
      batchLengthMax: fc.integer({ min: 1, max: 9 }),
      waitMaxMs: fc.integer({ min: 0, max: 1 }),
      lanes: fc.array(fc.constantFrom<Lane>('query', 'bulk'), { minLength: 1, maxLength: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(load, async ({ lanes, ...options }) => {
        let running = 0;
        const batcher = new LaneBatcher<number, number>({
          ...options,
          queueLengthMax: 100,
          run: async (items) => {
            running++;
            assert.ok(running <= options.concurrency);
            assert.ok(items.length >= 1 && items.length <= options.batchLengthMax);
            await settled();
            running--;
            return items.map((item) => item + 1_000);
          },
        });
        const results = await Promise.all(lanes.map((lane, item) => batcher.submit(item, lane)));
        assert.deepEqual(
          results,
          lanes.map((_, item) => item + 1_000),
        );
        assert.equal(batcher.waitingCount, 0);
      }),
      { numRuns: 50 },
    );
  });
});
