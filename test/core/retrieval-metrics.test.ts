import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  balancedBitEntropy,
  binaryEntropy,
  bucketSizes,
  leastCentreDistance,
} from '../../src/core/metrics-codes.js';
import { nearestNeighbourClass } from '../../src/core/metrics-knn.js';
import {
  averagePrecisionAtKOfTies,
  averagePrecisionBoundsAtK,
  type TieGroup,
} from '../../src/core/metrics-ties.js';
import { packEmbeddings, zeroCodes } from '../../src/core/packed-codes.js';
import {
  averagePrecisionAtK,
  meanAveragePrecisionAtK,
  precisionAtK,
  recallAtK,
} from '../../src/core/retrieval-metrics.js';

const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`);

describe('average precision at K', () => {
  it('sums precision at relevant ranks and divides by the relevant results in the first K', () => {
    const relevance = [1, 0, 1, 0, 0, 1];
    near(averagePrecisionAtK(relevance, 1), 1);
    near(averagePrecisionAtK(relevance, 2), 1);
    near(averagePrecisionAtK(relevance, 3), (1 + 2 / 3) / 2);
    near(averagePrecisionAtK(relevance, 5), (1 + 2 / 3) / 2);
    near(averagePrecisionAtK(relevance, 6), (1 + 2 / 3 + 3 / 6) / 3);
  });

  it('is 0 without a relevant result, without results and for K = 0', () => {
    assert.equal(averagePrecisionAtK([0, 0, 0], 3), 0);
    assert.equal(averagePrecisionAtK([], 10), 0);
    assert.equal(averagePrecisionAtK([1], 0), 0);
  });

  it('takes a list shorter than K as it is', () => {
    near(averagePrecisionAtK([0, 1], 100), 0.5);
  });

  it('follows equations 8 and 9 with graded relevance', () => {
    // levels 2, 0, 1: prep@1 = 2, prep@3 = (2 + 0 + 1) / 3 = 1; two results are relevant
    near(averagePrecisionAtK([2, 0, 1], 3), (2 + 1) / 2);
    near(precisionAtK([2, 0, 1], 3), 1);
  });

  it('averages over queries', () => {
    near(
      meanAveragePrecisionAtK(
        [
          [1, 0],
          [0, 1],
          [0, 0],
        ],
        2,
      ),
      (1 + 0.5 + 0) / 3,
    );
    assert.equal(meanAveragePrecisionAtK([], 5), 0);
  });
});

describe('precision and recall at K', () => {
  it('count relevant results in the first K', () => {
    const relevance = [1, 0, 1, 1];
    near(precisionAtK(relevance, 3), 2 / 3);
    near(precisionAtK(relevance, 8), 3 / 8);
    near(recallAtK(relevance, 3, 5), 2 / 5);
    assert.equal(recallAtK(relevance, 3, 0), 0);
  });
});

/** Every order of the results within tied groups, as relevance lists. */
function* ordersOf(groups: readonly TieGroup[]): Generator<number[]> {
  const [first, ...rest] = groups;
  if (first === undefined) {
    yield [];
    return;
  }
  for (const tail of ordersOf(rest)) {
    for (let mask = 0; mask < 1 << first.total; mask++) {
      const head = Array.from({ length: first.total }, (_, i) => (mask >> i) & 1);
      if (head.reduce((sum, bit) => sum + bit, 0) === first.relevant) yield [...head, ...tail];
    }
  }
}

function sortedBy(groups: readonly TieGroup[], relevantFirst: boolean): number[] {
  return groups.flatMap(({ total, relevant }) => {
    const ones = new Array<number>(relevant).fill(1);
    const zeros = new Array<number>(total - relevant).fill(0);
    return relevantFirst ? [...ones, ...zeros] : [...zeros, ...ones];
  });
}

const tieGroup = fc
  .integer({ min: 1, max: 4 })
  .chain((total) => fc.integer({ min: 0, max: total }).map((relevant) => ({ total, relevant })));
const tieGroups = fc.array(tieGroup, { minLength: 1, maxLength: 3 });
const cutOff = fc.integer({ min: 1, max: 13 });

describe('ties', () => {
  it('order a group that K does not cut against or for the method', () => {
    // one sure hit, then two of four: worst 1 0 0 1 1, best 1 1 1 0 0
    const groups = [
      { total: 1, relevant: 1 },
      { total: 4, relevant: 2 },
    ];
    near(averagePrecisionAtKOfTies(groups, 5, 'AGAINST'), (1 + 2 / 4 + 3 / 5) / 3);
    near(averagePrecisionAtKOfTies(groups, 5, 'FOR'), 1);
  });

  it('show of a group that K cuts only what fits', () => {
    // K = 3 inside a group of 5 with 3 relevant: worst 0 0 1, best 1 1 1
    const groups = [{ total: 5, relevant: 3 }];
    near(averagePrecisionAtKOfTies(groups, 3, 'AGAINST'), 1 / 3);
    near(averagePrecisionAtKOfTies(groups, 3, 'FOR'), 1);
  });

  it('have bounds beyond irrelevant-first where the cut group hides its relevant results', () => {
    // 1 | 0 0 0 1 ... cut at K = 4: irrelevant-first gives 1 0 0 0 = 1, but 1 0 0 1 gives (1 + 2/4) / 2
    const groups = [
      { total: 1, relevant: 1 },
      { total: 6, relevant: 3 },
    ];
    near(averagePrecisionAtKOfTies(groups, 4, 'AGAINST'), 1);
    near(averagePrecisionBoundsAtK(groups, 4).lowest, (1 + 2 / 4) / 2);
  });

  it('give what sorting by distance and relevance gives', () => {
    fc.assert(
      fc.property(tieGroups, cutOff, (groups, k) => {
        near(
          averagePrecisionAtKOfTies(groups, k, 'AGAINST'),
          averagePrecisionAtK(sortedBy(groups, false), k),
        );
        near(averagePrecisionAtKOfTies(groups, k, 'FOR'), averagePrecisionAtK(sortedBy(groups, true), k));
      }),
    );
  });

  it('have as bounds the least and greatest value over all orders', () => {
    fc.assert(
      fc.property(tieGroups, cutOff, (groups, k) => {
        const values = [...ordersOf(groups)].map((relevance) => averagePrecisionAtK(relevance, k));
        const { lowest, highest } = averagePrecisionBoundsAtK(groups, k);
        near(lowest, Math.min(...values));
        near(highest, Math.max(...values));
      }),
      { numRuns: 60 },
    );
  });

  it('put every order between worst and best where K cuts no group', () => {
    fc.assert(
      fc.property(tieGroups, fc.nat(), (groups, pick) => {
        const k = groups.reduce((sum, group) => sum + group.total, 0);
        const orders = [...ordersOf(groups)];
        const some = averagePrecisionAtK(orders[pick % orders.length] as number[], k);
        assert.ok(averagePrecisionAtKOfTies(groups, k, 'AGAINST') <= some + 1e-12);
        assert.ok(averagePrecisionAtKOfTies(groups, k, 'FOR') >= some - 1e-12);
      }),
      { numRuns: 60 },
    );
  });
});

describe('nearest neighbour classification', () => {
  it('takes the class with most votes among the first K', () => {
    assert.equal(nearestNeighbourClass([2, 1, 1, 0, 0, 0], 3), 1);
    assert.equal(nearestNeighbourClass([2, 1, 1, 0, 0, 0], 6), 0);
    assert.equal(nearestNeighbourClass([], 5), -1);
  });

  it('gives equal votes to the class of the better rank', () => {
    assert.equal(nearestNeighbourClass([3, 1, 1, 3], 4), 3);
  });
});

describe('metrics of codes', () => {
  // four images, three bits: 111, 111, 001 (bit 0 set), 000
  const codes = packEmbeddings([1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1], 3);

  it('count buckets of equal codes, largest first', () => {
    assert.deepEqual(bucketSizes(codes), [2, 1, 1]);
    assert.deepEqual(bucketSizes(zeroCodes(0, 48)), []);
  });

  it('tell apart codes that differ only beyond the first 32 bits', () => {
    const wide = packEmbeddings(
      [...new Array<number>(40).fill(-1), ...new Array<number>(39).fill(-1), 1],
      40,
    );
    assert.deepEqual(bucketSizes(wide), [1, 1]);
  });

  it('weigh classes equally in the entropy of a bit', () => {
    // class 0 holds the first three images, class 1 the last: bit 0 is 1 in all of class 0 and none of class 1
    const entropy = balancedBitEntropy(codes, [0, 0, 0, 1]);
    near(entropy[0] as number, 1);
    near(entropy[1] as number, binaryEntropy(1 / 3));
    near(binaryEntropy(0.5), 1);
    near(binaryEntropy(0.25), 0.8112781244591328);
    assert.equal(binaryEntropy(0), 0);
  });

  it('measure the least distance between majority codes of classes', () => {
    assert.equal(leastCentreDistance(codes, [0, 0, 0, 1]), 3);
    assert.equal(leastCentreDistance(codes, [0, 0, 1, 2]), 1);
    assert.equal(leastCentreDistance(codes, [0, 0, 0, 0]), Infinity);
  });
});
