import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IndexHits, Ranking, ShardIndex } from '../src/shard/index/index-api.js';
import type { FaissPeer } from './faiss.js';
import { plainReadMs, type ColdReads } from './cold-reads.js';

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
  /** As many bytes as the fine codes of the rows tied have, where the ranking is FINE. */
  readonly tied: ColdReads | undefined;
}

/** Milliseconds per query. */
export interface Turns {
  readonly k: number;
  readonly indexMs: number[];
  readonly linearMs: number[];
  readonly faissMs: number[];
  readonly readMs: number[];
  readonly tiedReadMs: number[];
  /** Whether FAISS found the same k-th distance every time. */
  agrees: boolean;
}

/** As many as a coordinator asks when it starts (search-warm-up.ts): fewer, and V8 interprets what it will compile. */
const WARM_UP_QUERIES = 600;
/** Queries that one rival answers before the next one's turn: after the first, its data are in the caches again. */
const TURN_QUERIES = 10;

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
  { index, linear, faiss, codeBytes, tied }: Rivals,
  queries: readonly BenchQuery[],
  k: number,
): Promise<Turns> {
  const turns: Turns = {
    ...{ k, indexMs: [], linearMs: [], faissMs: [], readMs: [], tiedReadMs: [] },
    agrees: true,
  };
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
    for (let i = 0; tied !== undefined && i < turn.length; i++) turns.tiedReadMs.push(tied.readMs());
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
