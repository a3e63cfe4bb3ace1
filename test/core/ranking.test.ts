import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareIds, compareRanked, type Ranked } from '../../src/core/ranking.js';

const ranked: fc.Arbitrary<Ranked> = fc.record(
  {
    distance: fc.integer({ min: 0, max: 3 }),
    fineDistance: fc.integer({ min: 0, max: 3 }),
    tieKey: fc.bigInt({ min: 0n, max: 2n }),
    id: fc.constantFrom('a', 'b', 'ä', '\u{1F600}', '\uFFFD'),
  },
  { noNullPrototype: true },
);

describe('the canonical order', () => {
  it('decides by distance, then fine distance, then tie key, then id', () => {
    const base = { distance: 1, fineDistance: 1, tieKey: 1n, id: 'b' };
    assert.ok(compareRanked({ ...base, distance: 0, fineDistance: 9, tieKey: 9n }, base) < 0);
    assert.ok(compareRanked({ ...base, fineDistance: 0, tieKey: 9n }, base) < 0);
    assert.ok(compareRanked({ ...base, tieKey: 0n, id: 'c' }, base) < 0);
    assert.ok(compareRanked({ ...base, id: 'a' }, base) < 0);
    assert.equal(compareRanked(base, { ...base }), 0);
  });

  it('takes tie keys as unsigned 64-bit numbers', () => {
    const low = { distance: 0, fineDistance: 0, tieKey: 1n };
    const high = { distance: 0, fineDistance: 0, tieKey: 0xffff_ffff_ffff_ffffn };
    assert.ok(compareRanked(low, high) < 0);
  });

  it('orders ids by their UTF-8 bytes, where UTF-16 would say otherwise', () => {
    assert.ok('\u{1F600}' < '\uFFFD');
    assert.ok(compareIds('\u{1F600}', '\uFFFD') > 0);
  });

  it('is a total order', () => {
    fc.assert(
      fc.property(ranked, ranked, ranked, (a, b, c) => {
        assert.equal(Math.sign(compareRanked(a, b)), -Math.sign(compareRanked(b, a)) + 0);
        if (compareRanked(a, b) <= 0 && compareRanked(b, c) <= 0) assert.ok(compareRanked(a, c) <= 0);
        if (compareRanked(a, b) === 0) assert.deepEqual(a, b);
      }),
      { numRuns: 2000 },
    );
  });
});
