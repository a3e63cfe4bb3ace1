import { hammingDistance } from '../src/core/code.js';
import type { PackedRows, ShardIndex } from '../src/shard/index/index-api.js';
import { percentile } from './percentile.js';
import { ask, type BenchQuery } from './search-turns.js';

/** Queries for which the rows tied are counted, by a slow and simple loop. */
const TIED_QUERIES = 5;

/** Rows whose fine codes FINE must read for k results, those at the k-th distance or nearer; the median over some queries. */
export async function countTied(
  index: ShardIndex,
  set: readonly PackedRows[],
  queries: readonly BenchQuery[],
  k: number,
): Promise<number> {
  const counts: number[] = [];
  for (const query of queries.slice(0, TIED_QUERIES)) {
    const codeBytes = query.code.length;
    const limit = (await ask(index, query, k)).distances.at(-1) ?? 0;
    let count = 0;
    for (const { codes } of set) {
      for (let at = 0; at < codes.length; at += codeBytes) {
        if (hammingDistance(codes.subarray(at, at + codeBytes), query.code) <= limit) count++;
      }
    }
    counts.push(count);
  }
  return percentile(counts, 50);
}
