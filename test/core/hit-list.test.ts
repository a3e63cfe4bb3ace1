import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KinscanError } from '../../src/core/errors.js';
import { packHitList, unpackHitList } from '../../src/core/hit-list.js';
import { groupedHitListOf, groupedRow, hitListOf, hitRow } from './hit-rows.js';

describe('a packed hit list', () => {
  it('unpacks to what was packed', () => {
    fc.assert(
      fc.property(fc.array(hitRow, { maxLength: 50 }), (rows) => {
        const hits = hitListOf(rows);
        assert.deepEqual(unpackHitList(packHitList(hits)), hits);
      }),
    );
  });

  it('keeps the groups of a grouped search', () => {
    fc.assert(
      fc.property(fc.array(groupedRow, { minLength: 1, maxLength: 50 }), (rows) => {
        const hits = groupedHitListOf(rows);
        assert.deepEqual(unpackHitList(packHitList(hits)), hits);
      }),
    );
  });

  it('unpacks from the middle of a larger buffer', () => {
    const hits = hitListOf([{ distance: 3, fineDistance: 7, tieKey: 2n ** 63n, imageId: 'å/1.png' }]);
    const packed = packHitList(hits);
    const larger = new Uint8Array(packed.length + 5);
    larger.set(packed, 3);
    assert.deepEqual(unpackHitList(larger.subarray(3, 3 + packed.length)), hits);
  });

  it('refuses bytes that are cut short, too long or of another format', () => {
    const packed = packHitList(hitListOf([{ distance: 1, fineDistance: 0, tieKey: 5n, imageId: 'a' }]));
    const damaged = [
      packed.subarray(0, 4),
      packed.subarray(0, packed.length - 1),
      Buffer.concat([packed, Buffer.of(0)]),
    ];
    const otherFormat = Buffer.from(packed);
    otherFormat[0] = 9;
    for (const bytes of [...damaged, otherFormat]) {
      assert.throws(
        () => unpackHitList(bytes),
        (error) => error instanceof KinscanError && error.code === 'INTERNAL',
      );
    }
  });
});
