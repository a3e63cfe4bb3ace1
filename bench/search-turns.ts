import { setImmediate as nextTurn } from 'node:timers/promises';
import { hammingDistance } from '../src/core/code.js';
import type { IndexHits, PackedRows, Ranking, ShardIndex } from '../src/shard/index/index-api.js';
import type { FaissPeer } from './faiss.js';
import { percentile } from './percentile.js';

export interface BenchQuery {
  readonly code: Uint8Array;
  /** Empty: ranking HAMMING, else FINE. */
  readonly fineCode: Uint8Array;
}

/** Those who are asked the same queries in turns. */
export interface Rivals {
  readonly index: ShardIndex;
  readonly linear: ShardIndex;
  readonly faiss: FaissPeer | undefined;
  /** As many bytes as all codes have. */
  readonly codeBytes: Buffer;
}

/** Milliseconds per query. */
export interface Turns {
  readonly k: number;
  readonly indexMs: number[];
  readonly linearMs: number[];
  readonly faissMs: number[];
  readonly readMs: number[];
  /** Whether FAISS found the same k-th distance every time. */
  agrees: boolean;
}

/** As many as a coordinator asks when it starts (search-warm-up.ts): fewer, and V8 interprets what it will compile. */
const WARM_UP_QUERIES = 600;
/** Queries that one rival answers before the next one's turn: after the first, its data are in the caches again. */
const TURN_QUERIES = 10;
/** Queries for which the rows tied are counted, by a slow and simple loop. */
const TIED_QUERIES = 5;
/** More than the caches of a server processor hold. */
const COLD_BYTES_MIN = 2 ** 29;

export function ask(index: ShardIndex, query: BenchQuery, k: number): Promise<IndexHits> {
  const ranking: Ranking = query.fineCode.length > 0 ? 'FINE' : 'HAMMING';
  return index.search({ ...query, k, ranking, partitions: index.partitions() });
}

/** In a turn of the event loop of its own, as a lone query comes to a shard server; the index may then answer in that turn. */
async function askAlone(
  index: ShardIndex,
  query: BenchQuery,
  k: number,
): Promise<{ readonly hits: IndexHits; readonly ms: number }> {
  await nextTurn();
  const begin = performance.now();
  const hits = await ask(index, query, k);
  return { hits, ms: performance.now() - begin };
}

async function warmUp(index: ShardIndex, queries: readonly BenchQuery[], k: number): Promise<void> {
  for (let i = 0; i < WARM_UP_QUERIES; i++) {
    await askAlone(index, queries[i % queries.length] as BenchQuery, k);
  }
}

/** Asks all rivals all queries. What else the machine does meets them alike. */
export async function takeTurns(
  { index, linear, faiss, codeBytes }: Rivals,
  queries: readonly BenchQuery[],
  k: number,
): Promise<Turns> {
  const turns: Turns = { k, indexMs: [], linearMs: [], faissMs: [], readMs: [], agrees: true };
  await warmUp(index, queries, k);
  await warmUp(linear, queries, k);
  for (let first = 0; first < queries.length; first += TURN_QUERIES) {
    const turn = queries.slice(first, first + TURN_QUERIES);
    const farthest: (number | undefined)[] = [];
    for (const query of turn) {
      const { hits, ms } = await askAlone(index, query, k);
      turns.indexMs.push(ms);
      farthest.push(hits.distances.at(-1));
    }
    for (const query of turn) turns.linearMs.push((await askAlone(linear, query, k)).ms);
    for (let i = 0; i < turn.length; i++) turns.readMs.push(plainReadMs(codeBytes));
    for (let i = 0; faiss !== undefined && i < turn.length; i++) {
      const answer = await faiss.ask(k, first + i);
      turns.faissMs.push(answer.ms);
      if (answer.farthest !== farthest[i]) turns.agrees = false;
    }
  }
  return turns;
}

/** Milliseconds per query of the index alone, one query at a time. */
export async function indexMs(
  index: ShardIndex,
  queries: readonly BenchQuery[],
  k: number,
): Promise<number[]> {
  await warmUp(index, queries, k);
  const samples: number[] = [];
  for (const query of queries) samples.push((await askAlone(index, query, k)).ms);
  return samples;
}

/** Milliseconds in which memchr (Buffer.indexOf of a byte that is not there) reads the bytes. */
export function plainReadMs(bytes: Buffer): number {
  const begin = performance.now();
  bytes.indexOf(0);
  return performance.now() - begin;
}

/** Queries per second with `concurrency` queries under way for `durationMs`. */
export async function queriesPerSecond(
  index: ShardIndex,
  queries: readonly BenchQuery[],
  { k, concurrency, durationMs }: { k: number; concurrency: number; durationMs: number },
): Promise<number> {
  const begin = performance.now();
  let answered = 0;
  const client = async (first: number): Promise<void> => {
    for (let i = first; performance.now() - begin < durationMs; i += concurrency) {
      await ask(index, queries[i % queries.length] as BenchQuery, k);
      answered++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, i) => client(i)));
  return (answered / (performance.now() - begin)) * 1000;
}

/** What FINE must at least read for k results: the fine codes of all rows at the k-th distance or nearer. */
export async function measureTied(
  index: ShardIndex,
  set: readonly PackedRows[],
  queries: readonly BenchQuery[],
  k: number,
): Promise<{ rows: number; readMs: number }> {
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
  const rows = percentile(counts, 50);
  // each sample reads another place, as each query ranks another group: what was just read is in the cache
  const readBytes = rows * (queries[0]?.fineCode.length ?? 0);
  const bytes = Buffer.alloc(Math.max(COLD_BYTES_MIN, readBytes), 1);
  const samples: number[] = [];
  for (let at = 0; at + readBytes <= bytes.length; at += readBytes) {
    samples.push(plainReadMs(bytes.subarray(at, at + readBytes)));
  }
  return { rows, readMs: percentile(samples, 50) };
}
