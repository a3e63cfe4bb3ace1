import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { learnFineCode, type FineProjection, type FineSamples } from '../../src/model/fine-code.js';
import { seededRandom } from '../../src/model/seeded-random.js';
import { useTfBackend } from '../../src/model/tf-backend.js';

const [COUNT, UNITS, BITS] = [400, 12, 8];

/**
 * Features of which the first four tell images apart; the other eight are larger but change with every copy, so a code
 * that follows the greatest variance would follow them.
 */
function noisyFeatures(seed: number): FineSamples {
  const random = seededRandom(seed, 'fine code test');
  const features = new Float32Array(COUNT * UNITS);
  const changed = new Float32Array(COUNT * UNITS);
  for (let at = 0; at < features.length; at++) {
    const tells = at % UNITS < 4;
    features[at] = 5 + random.normal() * (tells ? 1 : 3);
    changed[at] = tells ? (features[at] as number) + random.normal() * 0.05 : 5 + random.normal() * 3;
  }
  return { features, changed, units: UNITS, groups: new Uint16Array(COUNT) };
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
  const samples = noisyFeatures(1);
  const { features, changed } = samples;
  let projection: FineProjection;
  before(async () => {
    await useTfBackend('wasm');
    projection = learnFineCode(samples, BITS, 1);
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

  it('splits every group in about half, however far apart the groups are', () => {
    const groups = Uint16Array.from({ length: COUNT }, (_, row) => row % 2);
    const apart = (values: Float32Array): Float32Array =>
      values.map((value, at) => value + ((at / UNITS) % 2 >= 1 && at % UNITS < 2 ? 8 : 0));
    const split = learnFineCode(
      { ...samples, features: apart(features), changed: apart(changed), groups },
      BITS,
      1,
    );
    const blind = learnFineCode({ ...samples, features: apart(features), changed: apart(changed) }, BITS, 1);
    const unevenness = (projection: FineProjection): number => {
      const shares = Array.from({ length: 2 * BITS }, () => 0);
      const shifted = apart(features);
      for (let row = 0; row < COUNT; row++)
        bitsOf(projection, shifted, row).forEach((isSet, bit) => {
          const at = (row % 2) * BITS + bit;
          if (isSet) shares[at] = (shares[at] as number) + 2 / COUNT;
        });
      return Math.max(...shares.map((share) => Math.abs(share - 0.5)));
    };
    assert.ok(unevenness(split) < 0.2, `a bit is off by ${unevenness(split)} within a group`);
    assert.ok(unevenness(blind) > unevenness(split));
  });

  it('follows from its input and seed', () => {
    assert.deepEqual(learnFineCode(samples, BITS, 1), projection);
    assert.notDeepEqual(learnFineCode(samples, BITS, 2), projection);
  });

  it('stays finite where a feature never changes, and with fewer images than features', () => {
    const flat = features.map((value, at) => (at % UNITS === 0 ? 1 : value));
    const flatChanged = changed.map((value, at) => (at % UNITS === 0 ? 1 : value));
    const few = [flat, flatChanged].map((values) => values.slice(0, 5 * UNITS)) as [
      Float32Array,
      Float32Array,
    ];
    for (const [a, b] of [[flat, flatChanged] as const, few]) {
      const { kernel, bias } = learnFineCode(
        { features: a, changed: b, units: UNITS, groups: new Uint16Array(a.length / UNITS) },
        BITS,
        1,
      );
      assert.ok([...kernel, ...bias].every(Number.isFinite));
    }
  });
});
