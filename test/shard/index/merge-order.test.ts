import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../../src/core/random.js';
import { openShardIndex } from '../../../src/shard/index/shard-index.js';

const ROWS = 300;
/** Fewer than have one code: a group is read up to the first row that comes too late. */
const K = 20;
const CODES = [0x00, 0x01, 0x03];

/** Tie keys in runs that each ascend, as a start-up loads them: stored blocks, and what is new at the end. */
function tieKeysInRuns(random: Random, lengths: readonly number[]): BigUint64Array<ArrayBuffer> {
  const ascending = (length: number) =>
    Array.from({ length }, () => BigInt(random.integer(2 ** 20)) << 33n).sort((a, b) => (a < b ? -1 : 1));
  return BigUint64Array.from(lengths.flatMap(ascending));
}

describe('the first base', () => {
  it('has its rows in the order of codes and tie keys, in however many runs they were loaded', async (test) => {
    const index = await openShardIndex({
      ...{ codeBits: 8, fineCodeBits: 0, searchThreads: 1, queueLengthMax: 10 },
      tuning: { deltaRowsMin: 10 },
    });
    test.after(() => index.close());
    const random = new Random(20_261_126);
    const runs = [[ROWS], [200, 100], [100, 200], [299, 1], [1, 299], [100, 100, 100], [150, 149, 1]];
    for (const [partition, lengths] of runs.entries()) {
      const tieKeys = tieKeysInRuns(random, lengths);
      const codes = Uint8Array.from({ length: ROWS }, () => CODES[random.integer(CODES.length)] as number);
      const nothing = { fineCodes: new Uint8Array(0), attributes: new Uint32Array(ROWS) };
      index.load(partition, { count: ROWS, codes, tieKeys, ...nothing });
      await index.settled();
      assert.equal(index.stats().partitions[partition]?.deltaRows, 0, 'all rows are in the base');
      const query = { code: Uint8Array.of(0), k: K, ranking: 'HAMMING' as const, partitions: [partition] };
      const hits = await index.search(query);
      const expected = [...tieKeys]
        .map((tieKey, i) => ({ tieKey, distance: CODES.indexOf(codes[i] as number) }))
        .sort((a, b) => a.distance - b.distance || (a.tieKey < b.tieKey ? -1 : 1));
      assert.deepEqual(
        [...hits.tieKeys],
        expected.slice(0, K).map(({ tieKey }) => tieKey),
        `runs of ${lengths.join(', ')}`,
      );
    }
  });
});
