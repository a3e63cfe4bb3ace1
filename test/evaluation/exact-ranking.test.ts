import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { codeOfEmbedding, hammingDistance } from '../../src/core/code.js';
import { packEmbeddings } from '../../src/core/packed-codes.js';
import { tieKeyOf } from '../../src/core/tie-key.js';
import { canonicalTieOrder, ExactRanker } from '../../src/evaluation/exact-ranking.js';
import { rankByEmbedding } from '../../src/evaluation/float-ranking.js';
import { splitQueries } from '../../src/evaluation/query-split.js';

const signs = (length: number) => fc.array(fc.constantFrom(-1, 1), { minLength: length, maxLength: length });

describe('the exact ranker', () => {
  it('agrees with a full sort by distance, tie key and id, for every length of code', () => {
    const galleries = fc.constantFrom(8, 16, 32, 48, 64, 128).chain((codeBits) =>
      fc.record({
        codeBits: fc.constant(codeBits),
        rows: fc.array(signs(codeBits), { minLength: 1, maxLength: 40 }),
        query: signs(codeBits),
        top: fc.integer({ min: 1, max: 50 }),
      }),
    );
    fc.assert(
      fc.property(galleries, ({ codeBits, rows, query, top }) => {
        const ids = rows.map((_, i) => `class/${i}.png`);
        const order = canonicalTieOrder(ids);
        const labels = Int32Array.from(order, (row) => row % 3);
        const gallery = packEmbeddings(
          order.flatMap((row) => rows[row] as number[]),
          codeBits,
        );
        const ranking = new ExactRanker(gallery, labels).rank(packEmbeddings(query, codeBits), 0, 1, top);

        const queryCode = codeOfEmbedding(query);
        const expected = rows
          .map((row, i) => ({
            i,
            distance: hammingDistance(queryCode, codeOfEmbedding(row)),
            key: tieKeyOf(ids[i] as string),
          }))
          .sort((a, b) => a.distance - b.distance || (a.key < b.key ? -1 : 1));
        assert.deepEqual(
          Array.from(ranking.rows, (row) => order[row]),
          expected.slice(0, top).map(({ i }) => i),
        );
        const distances = [...new Set(expected.map(({ distance }) => distance))];
        assert.deepEqual(
          ranking.groups,
          distances.map((distance) => {
            const tied = expected.filter((hit) => hit.distance === distance);
            return { total: tied.length, relevant: tied.filter(({ i }) => i % 3 === 1).length };
          }),
        );
      }),
    );
  });
});

describe('ranking by embedding', () => {
  it('orders by Euclidean distance and counts equal distances as tied', () => {
    const gallery = Float32Array.from([0, 0, 3, 4, 0, 1, 1, 0]);
    const ranking = rankByEmbedding(gallery, Int32Array.from([0, 1, 0, 1]), Float32Array.from([0, 0]), 1, 3);
    assert.deepEqual([...ranking.rows], [0, 2, 3]);
    assert.deepEqual(ranking.groups, [
      { total: 1, relevant: 0 },
      { total: 2, relevant: 1 },
      { total: 1, relevant: 1 },
    ]);
  });
});

describe('splitting queries from the gallery', () => {
  it('gives every image to exactly one side, the same for the same seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(), fc.integer(), (count, pick, seed) => {
        const queryCount = 1 + (pick % (count - 1));
        const split = splitQueries(count, queryCount, seed);
        assert.equal(split.queries.length, queryCount);
        const all = [...split.queries, ...split.gallery].sort((a, b) => a - b);
        assert.deepEqual(
          all,
          Array.from({ length: count }, (_, i) => i),
        );
        assert.deepEqual(splitQueries(count, queryCount, seed), split);
      }),
    );
  });

  it('draws different queries for different seeds', () => {
    assert.notDeepEqual(splitQueries(1000, 20, 1).queries, splitQueries(1000, 20, 2).queries);
  });
});
