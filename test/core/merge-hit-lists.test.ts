import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EMPTY_HIT_LIST } from '../../src/core/hit-list.js';
import { mergeHitLists } from '../../src/core/merge-hit-lists.js';
import {
  firstOfGroups,
  groupedHitListOf,
  groupedRow,
  hitListOf,
  hitRow,
  inCanonicalOrder,
  rowsOnServers,
} from './hit-rows.js';

describe('merging the hit lists of shard servers', () => {
  it('gives what one shard server holding everything would give, however the hits are spread', () => {
    fc.assert(
      fc.property(rowsOnServers(hitRow, 5), fc.integer({ min: 1, max: 80 }), (spread, k) => {
        const ofServer = (server: number) => spread.filter(([, on]) => on === server).map(([row]) => row);
        // each server returns its own best k, as over the wire
        const lists = [0, 1, 2, 3, 4].map((server) =>
          hitListOf(inCanonicalOrder(ofServer(server)).slice(0, k)),
        );
        const expected = hitListOf(inCanonicalOrder(spread.map(([row]) => row)).slice(0, k));
        assert.deepEqual(mergeHitLists(lists, k), expected);
      }),
    );
  });

  it('gives the first groups, each by its nearest image, however groups are spread over shard servers', () => {
    fc.assert(
      fc.property(rowsOnServers(groupedRow, 4), fc.integer({ min: 1, max: 20 }), (spread, k) => {
        const rows = spread.map(([row]) => row);
        const ofServer = (server: number) => spread.filter(([, on]) => on === server).map(([row]) => row);
        const lists = [0, 1, 2, 3].map((server) =>
          groupedHitListOf(firstOfGroups(inCanonicalOrder(ofServer(server)), k)),
        );
        const expected = firstOfGroups(inCanonicalOrder(rows), k);
        const merged = mergeHitLists(lists, k);
        assert.deepEqual(merged, expected.length === 0 ? EMPTY_HIT_LIST : groupedHitListOf(expected));
      }),
      { numRuns: 500 },
    );
  });

  it('gives no hits where no shard server has any', () => {
    assert.equal(mergeHitLists([], 10).count, 0);
    assert.equal(mergeHitLists([hitListOf([]), hitListOf([])], 10).count, 0);
  });
});
