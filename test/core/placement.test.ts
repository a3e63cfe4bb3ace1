import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { partitionsOf, spreadPartitions } from '../../src/core/placement.js';
import { partitionOf, tieKeyOf } from '../../src/core/tie-key.js';

const serverIds = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 12 });

describe('spreading partitions over shard servers', () => {
  it('hosts every partition once and loads no server with two more than another', () => {
    fc.assert(
      fc.property(serverIds, fc.integer({ min: 0, max: 8 }), (ids, log2) => {
        const placement = spreadPartitions(ids, 2 ** log2);
        const counts = ids.map((id) => partitionsOf(placement, id).length);
        assert.equal(
          counts.reduce((sum, count) => sum + count, 0),
          2 ** log2,
        );
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
      }),
    );
  });

  it('does not depend on the order in which the servers are named', () => {
    fc.assert(
      fc.property(serverIds, (ids) => {
        assert.deepEqual(spreadPartitions([...ids].reverse(), 16), spreadPartitions(ids, 16));
      }),
    );
  });

  it('puts the replicas of a partition on different servers', () => {
    const { replicas } = spreadPartitions(['a', 'b', 'c'], 8, 2);
    for (const servers of replicas) assert.equal(new Set(servers).size, 2);
  });
});

describe('the tie key', () => {
  it('is the first 64 bits of the SHA-256 of the id (FIPS 180-4 example "abc")', () => {
    assert.equal(tieKeyOf('abc'), 0xba7816bf8f01cfean);
  });

  it('chooses the partition by its top bits', () => {
    assert.equal(partitionOf(0xba7816bf8f01cfean, 16), 0xb);
    assert.equal(partitionOf(0xba7816bf8f01cfean, 4096), 0xba7);
    assert.equal(partitionOf(2n ** 64n - 1n, 1), 0);
  });

  it('spreads ids evenly over the partitions', () => {
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) {
      const partition = partitionOf(tieKeyOf(`image-${i}`), 16);
      counts[partition] = (counts[partition] as number) + 1;
    }
    // 1,000 expected in each, standard deviation 31
    for (const count of counts) assert.ok(count > 850 && count < 1150, `${count} of 1,000 expected`);
  });
});
