import { KinscanError } from '../../../src/core/errors.js';
import type { IndexRow } from '../../../src/shard/index/index-api.js';
import {
  openShardIndex,
  type ShardIndex,
  type ShardIndexOptions,
} from '../../../src/shard/index/shard-index.js';
import { RowSource, SeededRandom } from './random-rows.js';

/** Galleries here are small: without this they would never reach a thread. */
export const ON_THREADS = { inlineRowsMax: 0 };
export const OPTIONS: ShardIndexOptions = {
  codeBits: 48,
  fineCodeBits: 64,
  searchThreads: 2,
  queueLengthMax: 64,
  tuning: ON_THREADS,
};

/** Runs with an open index, and closes it. */
export async function withIndex(run: (index: ShardIndex) => Promise<void>, options = OPTIONS): Promise<void> {
  const index = await openShardIndex(options);
  try {
    await run(index);
  } finally {
    await index.close();
  }
}

/** Rows of clustered codes, the same for a seed. */
export function someRows(count: number, seed = 7): IndexRow[] {
  const source = new RowSource(new SeededRandom(seed), 48, 64, 'clustered');
  return Array.from({ length: count }, () => source.row());
}

/** Fits the rows of someRows(), in partition 0. */
export const QUERY = { code: new Uint8Array(6), k: 10, ranking: 'HAMMING', partitions: [0] } as const;

/** For assert.rejects and assert.throws. */
export function hasCode(code: KinscanError['code']): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof KinscanError && thrown.code === code;
}
