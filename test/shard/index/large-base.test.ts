import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PackedRows } from '../../../src/shard/index/index-api.js';
import { OPTIONS, withIndex } from './index-harness.js';
import { SeededRandom } from './random-rows.js';

// More blocks than a scan looks at at once, which the small galleries of the exactness test have not.
const ROWS = 300_000;
const KS = [1, 10, 1_000];
const QUERIES = 4;

type MakeHalf = (random: SeededRandom, i: number) => number;

const anyHalf: MakeHalf = (random) => random.below(2 ** 32);
/** One bit in eight. */
const someBits: MakeHalf = (random, i) => anyHalf(random, i) & anyHalf(random, i) & anyHalf(random, i);
const centres = Uint32Array.from({ length: 64 }, (_, i) => Math.imul(i + 1, 0x9e37_79b1));

/** 32-bit halves of the codes, low half first; with an index of the half. */
const GALLERIES: Readonly<Record<string, MakeHalf>> = {
  uniform: anyHalf,
  // 32 centres, so that most blocks are far
  clustered: (random, i) => (centres[((i >> 1) % 32) * 2 + (i & 1)] as number) ^ someBits(random, i),
  'alike in their low half': (random, i) => (i % 2 === 0 ? 0x1234_5678 : anyHalf(random, i)),
  'alike in their high half': (random, i) => (i % 2 === 1 ? 0x1234_5678 : anyHalf(random, i)),
};

function galleryOf(makeHalf: MakeHalf): { rows: PackedRows; halves: Uint32Array } {
  const random = new SeededRandom(11);
  const halves = Uint32Array.from({ length: ROWS * 2 }, (_, i) => makeHalf(random, i));
  const tieKeys = new BigUint64Array(ROWS);
  const words = new Uint32Array(tieKeys.buffer);
  for (let i = 0; i < words.length; i++) words[i] = anyHalf(random, i);
  const rows = {
    count: ROWS,
    codes: new Uint8Array(halves.buffer),
    tieKeys,
    fineCodes: new Uint8Array(0),
    attributes: new Uint32Array(ROWS),
  };
  return { rows, halves };
}

function popcount(x: number): number {
  let count = 0;
  for (let rest = x; rest !== 0; rest &= rest - 1) count++;
  return count;
}

// The first k by (distance, tie key), by comparing and sorting all.
function bruteForce(halves: Uint32Array, tieKeys: BigUint64Array, query: Uint32Array, k: number) {
  const distances = Uint8Array.from({ length: ROWS }, (_, i) => {
    return (
      popcount((halves[i * 2] as number) ^ (query[0] as number)) +
      popcount((halves[i * 2 + 1] as number) ^ (query[1] as number))
    );
  });
  const limit = distances.slice().sort()[k - 1] as number;
  const near: { distance: number; tieKey: bigint }[] = [];
  distances.forEach((distance, i) => {
    if (distance <= limit) near.push({ distance, tieKey: tieKeys[i] as bigint });
  });
  near.sort((a, b) => a.distance - b.distance || (a.tieKey < b.tieKey ? -1 : 1));
  return near.slice(0, k);
}

// Every other query is no code of the gallery.
function queriesOf(halves: Uint32Array): Uint32Array[] {
  return Array.from({ length: QUERIES }, (_, i) => {
    return halves.slice(i * 140_000, i * 140_000 + 2).map((half) => (i % 2 === 0 ? half : ~half));
  });
}

describe('a base of many blocks', () => {
  for (const [name, makeHalf] of Object.entries(GALLERIES)) {
    it(`answers as a full sort does, with tables and without: ${name}`, async () => {
      const { rows, halves } = galleryOf(makeHalf);
      const cases = queriesOf(halves).map((query) => ({
        code: new Uint8Array(query.buffer),
        sorted: bruteForce(halves, rows.tieKeys, query, Math.max(...KS)),
      }));
      for (const tuning of [{}, { tableCodesMin: 4 }, { tableCodesMin: 4, probe: 'always' as const }]) {
        await withIndex(
          async (index) => {
            index.load(0, rows);
            await index.settled();
            for (const { code, sorted } of cases) {
              for (const k of KS) {
                const query = { code, fineCode: new Uint8Array(0), k, partitions: [0] };
                const { distances, tieKeys } = await index.search({ ...query, ranking: 'HAMMING' });
                const found = Array.from(distances, (distance, i) => ({ distance, tieKey: tieKeys[i] }));
                assert.deepEqual(found, sorted.slice(0, k));
              }
            }
          },
          { ...OPTIONS, codeBits: 64, fineCodeBits: 0, tuning },
        );
      }
    });
  }
});
