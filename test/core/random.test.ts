import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../src/core/random.js';

/** From a transcription of the reference's C code to Python. */
const EXPECTED_FOR_SEED_1 = [2442144158, 3238099751, 3819917871, 2104621829];

const DRAWS = 100_000;

function draws(next: () => number): number[] {
  return Array.from({ length: DRAWS }, next);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

describe('the seeded generator', () => {
  it('gives these numbers for seed 1, for ever', () => {
    const random = new Random(1);
    const first = Array.from({ length: 4 }, () => random.uint32());
    assert.deepEqual(first, EXPECTED_FOR_SEED_1);
  });

  it('gives unrelated numbers for neighbouring seeds', () => {
    const [one, two] = [new Random(1), new Random(2)];
    const differing = draws(() => {
      let bits = one.uint32() ^ two.uint32();
      let count = 0;
      for (; bits !== 0; bits &= bits - 1) count++;
      return count;
    });
    assert.ok(Math.abs(mean(differing) - 16) < 0.05);
  });

  it('is uniform over its range', () => {
    const random = new Random(7);
    const counts = new Array<number>(16).fill(0);
    for (const value of draws(() => random.integer(16))) counts[value] = (counts[value] as number) + 1;
    // chi-square of 15 degrees of freedom: below 37.7 with probability .999; the seed is fixed
    const expected = DRAWS / 16;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    assert.ok(chiSquare < 37.7, `chi-square ${chiSquare}`);
    const values = draws(() => random.between(-2, 3));
    assert.ok(values.every((value) => value >= -2 && value < 3));
    assert.ok(Math.abs(mean(values) - 0.5) < 0.02);
  });

  it('has normal numbers of mean 0 and deviation 1', () => {
    const random = new Random(3);
    const values = draws(() => random.normal());
    assert.ok(values.every((value) => Number.isFinite(value)));
    assert.ok(Math.abs(mean(values)) < 0.015);
    assert.ok(Math.abs(mean(values.map((value) => value * value)) - 1) < 0.02);
  });

  it('shuffles without losing anything, every item to every place', () => {
    const random = new Random(5);
    const places = new Array<number>(5).fill(0);
    for (let round = 0; round < 5_000; round++) {
      const items = random.shuffle([0, 1, 2, 3, 4]);
      assert.deepEqual([...items].sort(), [0, 1, 2, 3, 4]);
      const place = items.indexOf(0);
      places[place] = (places[place] as number) + 1;
    }
    assert.ok(
      places.every((count) => Math.abs(count - 1_000) < 120),
      places.join(' '),
    );
  });
});
