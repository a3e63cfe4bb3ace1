import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { learnFineCode, type FineProjection } from '../../src/model/fine-code.js';
import { seededRandom } from '../../src/model/seeded-random.js';
import { useTfBackend } from '../../src/model/tf-backend.js';

const [COUNT, UNITS, BITS] = [400, 12, 8];

/**
 * Features of which the first four tell images apart; the other eight are larger but change with every copy, so a code
 * that follows the greatest variance would follow them.
 */
function noisyFeatures(seed: number): { features: Float32Array; changed: Float32Array } {
  const random = seededRandom(seed, 'fine code test');
  const features = new Float32Array(COUNT * UNITS);
  const changed = new Float32Array(COUNT * UNITS);
  for (let at = 0; at < features.length; at++) {
    const tells = at % UNITS < 4;
    features[at] = 5 + random.normal() * (tells ? 1 : 3);
    changed[at] = tells ? (features[at] as number) + random.normal() * 0.05 : 5 + random.normal() * 3;
  }
  return { features, changed };
}

function bitsOf({ kernel, bias }: FineProjection, features: Float32Array, row: number): boolean[] {
  return Array.from(bias, (start, bit) => {
    let sum = start;
    for (let unit = 0; unit < UNITS; unit++) {
      sum += (features[row * UNITS + unit] as number) * (kernel[unit * BITS + bit] as number);
    }
    return sum >= 0;
  });
}

function differingBits(a: readonly boolean[], b: readonly boolean[]): number {
  return a.filter((bit, at) => bit !== b[at]).length;
}

describe('a fine code', () => {
  const { features, changed } = noisyFeatures(1);
  let projection: FineProjection;
  before(async () => {
    await useTfBackend('wasm');
    projection = learnFineCode(features, changed, UNITS, BITS, 1);
  });

  it('puts a changed copy nearer than other images, though most features are noise', () => {
    let [copies, others] = [0, 0];
    for (let row = 0; row < COUNT; row++) {
      const bits = bitsOf(projection, features, row);
      copies += differingBits(bits, bitsOf(projection, changed, row)) / COUNT;
      others += differingBits(bits, bitsOf(projection, features, (row + 1) % COUNT)) / COUNT;
    }
    // A code along the greatest variance would have them about equal.
    assert.ok(copies < 0.6 * others, `copies differ in ${copies} bits, others in ${others}`);
  });

  it('sets every bit for about half of the images', () => {
    for (let bit = 0; bit < BITS; bit++) {
      let share = 0;
      for (let row = 0; row < COUNT; row++)
        share += bitsOf(projection, features, row)[bit] === true ? 1 / COUNT : 0;
      assert.ok(Math.abs(share - 0.5) < 0.15, `bit ${bit} is set for ${share}`);
    }
  });

  it('follows from its input and seed', () => {
    assert.deepEqual(learnFineCode(features, changed, UNITS, BITS, 1), projection);
    assert.notDeepEqual(learnFineCode(features, changed, UNITS, BITS, 2), projection);
  });

  it('stays finite where a feature never changes, and with fewer images than features', () => {
    const flat = features.map((value, at) => (at % UNITS === 0 ? 1 : value));
    const flatChanged = changed.map((value, at) => (at % UNITS === 0 ? 1 : value));
    const few = [flat, flatChanged].map((values) => values.slice(0, 5 * UNITS)) as [
      Float32Array,
      Float32Array,
    ];
    for (const [a, b] of [[flat, flatChanged] as const, few]) {
      const { kernel, bias } = learnFineCode(a, b, UNITS, BITS, 1);
      assert.ok([...kernel, ...bias].every(Number.isFinite));
    }
  });
});
