import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../../src/core/random.js';
import { kernelSupervisedHashing } from '../../../src/evaluation/rivals/kernel-supervised-hashing.js';
import { localitySensitiveHashing } from '../../../src/evaluation/rivals/locality-sensitive-hashing.js';
import {
  lossAugmentedDifferences,
  minimalLossHashing,
} from '../../../src/evaluation/rivals/minimal-loss-hashing.js';
import { cheapestModes, spectralHashing } from '../../../src/evaluation/rivals/spectral-hashing.js';
import { descriptorSet, fitOptions, meanDistances } from './toy-sets.js';

describe('locality-sensitive hashing', () => {
  it('makes bits differ in the share angle / pi', async () => {
    const at = (degrees: number) => [
      Math.cos((degrees * Math.PI) / 180),
      Math.sin((degrees * Math.PI) / 180),
    ];
    const rows = [at(0), at(180), at(60), at(240)];
    const set = descriptorSet(rows, [0, 0, 1, 1]);
    const codeBits = 4000;
    const values = await (await localitySensitiveHashing.fit(set, fitOptions(codeBits))).encode(set);
    const share = (a: number, b: number) => {
      let differing = 0;
      for (let bit = 0; bit < codeBits; bit++) {
        if (
          Math.sign(values[a * codeBits + bit] as number) !== Math.sign(values[b * codeBits + bit] as number)
        )
          differing++;
      }
      return differing / codeBits;
    };
    assert.equal(share(0, 1), 1);
    assert.ok(Math.abs(share(0, 2) - 1 / 3) < 0.03, `${share(0, 2)}`);
    assert.ok(Math.abs(share(0, 3) - 2 / 3) < 0.03, `${share(0, 3)}`);
  });
});

describe('spectral hashing', () => {
  it('gives bits to the modes of lowest frequency, several to a long axis', () => {
    assert.deepEqual(cheapestModes([4, 1.5, 0], 5), [
      { component: 0, halfWaves: 1 },
      { component: 0, halfWaves: 2 },
      { component: 1, halfWaves: 1 },
      { component: 0, halfWaves: 3 },
      { component: 0, halfWaves: 4 },
    ]);
  });

  it('cuts a slanted box in halves and quarters along its long side', async () => {
    const rows: number[][] = [];
    const along: number[] = [];
    for (let i = 0; i < 40; i++) {
      for (let j = 0; j < 10; j++) {
        const [u, v] = [(i + 0.5) / 40 - 0.5, ((j + 0.5) / 10 - 0.5) * 0.1];
        rows.push([0.8 * u - 0.6 * v + 5, 0.6 * u + 0.8 * v - 2]);
        along.push(u);
      }
    }
    const set = descriptorSet(
      rows,
      rows.map((_, i) => i % 2),
    );
    const values = await (await spectralHashing.fit(set, fitOptions(2))).encode(set);
    const bit = (row: number, which: number) => (values[row * 2 + which] as number) >= 0;
    along.forEach((u, row) => {
      // the sign of an axis is arbitrary: compare with the first point
      assert.equal(bit(row, 0) === bit(0, 0), u < 0);
      if (Math.abs(Math.abs(u) - 0.25) > 0.02) assert.equal(bit(row, 1), Math.abs(u) > 0.25);
    });
  });
});

describe('minimal loss hashing', () => {
  it('finds the codes of greatest loss-augmented score', () => {
    const value = fc.integer({ min: -20, max: 20 }).map((v) => v / 7);
    const vector = fc.array(value, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(vector, vector, fc.boolean(), fc.integer({ min: 1, max: 4 }), (x, y, similar, rho) => {
        const score = (g: readonly number[], h: readonly number[]) => {
          const distance = g.filter((bit, i) => bit !== h[i]).length;
          const loss = similar ? Math.max(distance - rho + 1, 0) : 0.5 * Math.max(rho - distance + 1, 0);
          return g.reduce(
            (sum, bit, i) => sum + bit * (x[i] as number) + (h[i] as number) * (y[i] as number),
            loss,
          );
        };
        const codes = Array.from({ length: 16 }, (_, mask) =>
          [0, 1, 2, 3].map((bit) => ((mask >> bit) & 1 ? 1 : -1)),
        );
        const best = Math.max(...codes.flatMap((g) => codes.map((h) => score(g, h))));
        const differ = lossAugmentedDifferences(x, y, similar, rho);
        const g = differ.map((d, i) => Math.sign((x[i] as number) + (d ? -1 : 1) * (y[i] as number)) || 1);
        const h = g.map((bit, i) => (differ[i] === true ? -bit : bit));
        assert.ok(Math.abs(score(g, h) - best) < 1e-9);
      }),
    );
  });

  it('brings classes together that unlabelled variance would tear apart', async () => {
    // the class is in a coordinate of small variance; two others are large and mean nothing
    const random = new Random(3);
    const labels = Array.from({ length: 240 }, (_, i) => i % 2);
    const rows = labels.map((label) => [
      2 * random.normal(),
      2 * random.normal(),
      (label - 0.5) * 1.2 + 0.1 * random.normal(),
    ]);
    const set = descriptorSet(rows, labels);
    const encoder = await minimalLossHashing.fit(set, fitOptions(16));
    const { same, other } = meanDistances(await encoder.encode(set), 16, set.images.labels);
    // rho is 0.3 of 16 bits = 5: similar pairs are to stay within 4 bits of each other, dissimilar ones beyond 6
    assert.ok(same < 5.5 && other > 8, `same ${same}, other ${other}`);
    const unlearned = await localitySensitiveHashing.fit(set, fitOptions(16));
    const before = meanDistances(await unlearned.encode(set), 16, set.images.labels);
    assert.ok(other - same > 3 * (before.other - before.same), `before ${before.same}, ${before.other}`);
  });
});

describe('supervised hashing with kernels', () => {
  it('separates a disc from the ring around it, which no linear bit can', async () => {
    const random = new Random(4);
    const labels = Array.from({ length: 120 }, (_, i) => i % 2);
    const rows = labels.map((label) => {
      const angle = random.uniform() * 2 * Math.PI;
      const radius = label === 0 ? 0.4 * random.uniform() : 1 + 0.2 * random.uniform();
      return [radius * Math.cos(angle), radius * Math.sin(angle)];
    });
    const set = descriptorSet(rows, labels);
    const encoder = await kernelSupervisedHashing.fit(set, fitOptions(8));
    const { same, other } = meanDistances(await encoder.encode(set), 8, set.images.labels);
    assert.ok(same < 0.5 && other > 5, `same ${same}, other ${other}`);
  });
});
