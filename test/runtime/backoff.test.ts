import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { backoffDelayMs } from '../../src/runtime/backoff.js';

describe('the back-off', () => {
  it('doubles from the first delay up to the largest', () => {
    const options = { firstDelayMs: 100, delayMaxMs: 1000 };
    assert.deepEqual(
      [0, 1, 2, 3, 4, 50].map((attempt) => backoffDelayMs(attempt, options, () => 1)),
      [100, 200, 400, 800, 1000, 1000],
    );
  });

  it('is never below half of its step nor above the largest delay', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const delay = backoffDelayMs(attempt, { firstDelayMs: 10, delayMaxMs: 500 }, () => random);
        assert.ok(delay >= 5 && delay <= 500);
      }),
    );
  });
});
