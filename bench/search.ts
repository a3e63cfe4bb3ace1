import { monitorEventLoopDelay } from 'node:perf_hooks';
import { hammingDistance } from '../src/core/code.js';
import type { IndexHits, PackedRows, Ranking, ShardIndex } from '../src/shard/index/index-api.js';
import { openShardIndex } from '../src/shard/index/shard-index.js';
import { BenchRandom, makeCodeSet, type CodeDistribution } from './code-set.js';
import { FAISS_HINT, FaissPeer } from './faiss.js';
import { percentile } from './percentile.js';

export interface SearchBenchOptions {
  readonly rows: number;
  /** Multiple of 8, 8 to 256. */
  readonly codeBits: number;
  /** Multiple of 8, up to 512; 0: ranking HAMMING, else FINE. */
  readonly fineCodeBits: number;
  readonly distribution: CodeDistribution;
  /** A power of two. */
  readonly partitions: number;
  readonly ks: readonly number[];
  /** Search threads; the latencies are those of one query at a time. */
  readonly threads: number;
  /** Queries per k and way of searching. */
  readonly queries: number;
  /** Queries under way at once where queries per second are measured. */
  readonly concurrency: number;
  /** Whether to measure FAISS as well, where it is installed. */
  readonly faiss: boolean;
  readonly seed: number;
  /** Told what is going on. */
  readonly onStage?: (stage: string) => void;
}

export interface SearchLatency {
  readonly k: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

export interface SearchBenchResult {
  readonly rows: number;
  readonly distinctCodes: number;
  readonly loadSeconds: number;
  /** From the load until the last base is built; searches are answered all the while. */
  readonly buildSeconds: number;
  /** The longest turn of the event loop while bases were built. */
  readonly longestPauseMs: number;
  readonly bytesPerImage: number;
  /** The same over code + tie key + fine code. */
  readonly memoryFactor: number;
  /** The time in which memchr reads as many bytes as all codes have: the limit of any linear scan. */
  readonly plainReadMs: number;
  readonly indexed: readonly SearchLatency[];
  readonly queriesPerSecond: number;
  /** The kernel over all distinct codes, without chunk tables. */
  readonly linear: readonly SearchLatency[];
  /** FAISS IndexBinaryFlat on one thread, or how to install it. */
  readonly faiss: readonly SearchLatency[] | string;
  readonly faissVersion: string | undefined;
  /** Whether the k-th distances are the same for every query. */
  readonly faissAgrees: boolean | undefined;
  /** FINE only: rows at the k-th distance or nearer (median), and the time of reading just their fine codes. */
  readonly tiedRows: number | undefined;
  readonly tiedFineReadMs: number | undefined;
}

interface BenchQuery {
  readonly code: Uint8Array;
  readonly fineCode: Uint8Array;
}

/** Queries for which the rows tied are counted, by a slow and simple loop. */
const TIED_QUERIES = 5;
const THROUGHPUT_MS = 3_000;
const WARM_UP_QUERIES = 50;
/** More than the caches of a server processor hold. */
const COLD_BYTES_MIN = 2 ** 29;
/** Queries that one rival answers before the next one's turn: after the first, its data are in the caches again. */
const TURN_QUERIES = 10;

/**
 * Measures the index of one shard server in this process, beside the limits and the rivals, on made-up codes. All are
 * asked the same queries in turns, so that what else the machine does meets them alike.
 */
export async function runSearchBench(options: SearchBenchOptions): Promise<SearchBenchResult> {
  const stage = options.onStage ?? (() => undefined);
  stage('making codes');
  const set = makeCodeSet(options);
  const queries = makeQueries(set, options);
  stage('loading and building');
  const { index, figures } = await buildIndex(set, options, 'auto');
  const linear = await buildIndex(set, options, 'never');
  const faiss = options.faiss
    ? await FaissPeer.start(
        set.map((rows) => rows.codes),
        queries.map(({ code }) => code),
      )
    : undefined;
  try {
    stage('searching');
    const rivals = { index, linear: linear.index, faiss };
    const rounds: Round[] = [];
    for (const k of options.ks) rounds.push(await measureRound(rivals, queries, k, options));
    stage('searching with many queries at once');
    const queriesPerSecond = await throughput(index, queries, options);
    const tied = options.fineCodeBits > 0 ? await measureTied(index, set, queries, options) : undefined;
    return {
      rows: options.rows,
      ...figures,
      plainReadMs: percentile(
        rounds.flatMap((round) => round.readMs),
        50,
      ),
      indexed: rounds.map(({ k, indexMs }) => latency(k, indexMs)),
      queriesPerSecond,
      linear: rounds.map(({ k, linearMs }) => latency(k, linearMs)),
      faiss: faiss === undefined ? FAISS_HINT : rounds.map(({ k, faissMs }) => latency(k, faissMs)),
      faissVersion: faiss?.version,
      faissAgrees: faiss === undefined ? undefined : rounds.every((round) => round.agrees),
      tiedRows: tied?.rows,
      tiedFineReadMs: tied?.readMs,
    };
  } finally {
    await Promise.all([index.close(), linear.index.close(), faiss?.stop()]);
  }
}

// A member of the gallery is the query that users send; among uniform codes it would find itself, so there a random one.
function makeQueries(set: readonly PackedRows[], options: SearchBenchOptions): BenchQuery[] {
  const random = new BenchRandom(options.seed + 1);
  const codeBytes = options.codeBits / 8;
  return Array.from({ length: options.queries }, () => {
    const fineCode = random.bytes(options.fineCodeBits / 8);
    if (options.distribution === 'uniform') return { code: random.bytes(codeBytes), fineCode };
    const rows = set[random.u32() % set.length] as PackedRows;
    const at = (random.u32() % rows.count) * codeBytes;
    return { code: rows.codes.slice(at, at + codeBytes), fineCode };
  });
}

/** Milliseconds in which memchr (Buffer.indexOf of a byte that is not there) reads the bytes. */
function plainReadMs(bytes: Buffer): number {
  const begin = performance.now();
  bytes.indexOf(0);
  return performance.now() - begin;
}

async function buildIndex(set: readonly PackedRows[], options: SearchBenchOptions, probe: 'auto' | 'never') {
  const { codeBits, fineCodeBits, threads, concurrency, rows } = options;
  const queueLengthMax = Math.max(64, concurrency);
  const index = await openShardIndex({
    codeBits,
    fineCodeBits,
    searchThreads: threads,
    queueLengthMax,
    tuning: { probe },
  });
  const begin = performance.now();
  set.forEach((some, partition) => index.load(partition, some));
  const loaded = performance.now();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await index.settled();
  delay.disable();
  const { partitions, usedBytes } = index.stats();
  const figures = {
    distinctCodes: partitions.reduce((sum, { distinctCodes }) => sum + distinctCodes, 0),
    loadSeconds: (loaded - begin) / 1000,
    buildSeconds: (performance.now() - begin) / 1000,
    longestPauseMs: delay.max / 1e6,
    bytesPerImage: usedBytes / rows,
    memoryFactor: usedBytes / (rows * (codeBits / 8 + 8 + fineCodeBits / 8)),
  };
  return { index, figures };
}

function ask(index: ShardIndex, query: BenchQuery, k: number): Promise<IndexHits> {
  const ranking: Ranking = query.fineCode.length > 0 ? 'FINE' : 'HAMMING';
  return index.search({ ...query, k, ranking, partitions: index.partitions() });
}

interface Round {
  readonly k: number;
  readonly indexMs: number[];
  readonly linearMs: number[];
  readonly faissMs: number[];
  readonly readMs: number[];
  agrees: boolean;
}

interface Rivals {
  readonly index: ShardIndex;
  readonly linear: ShardIndex;
  readonly faiss: FaissPeer | undefined;
}

async function measureRound(
  { index, linear, faiss }: Rivals,
  queries: readonly BenchQuery[],
  k: number,
  { rows, codeBits }: SearchBenchOptions,
): Promise<Round> {
  const round: Round = { k, indexMs: [], linearMs: [], faissMs: [], readMs: [], agrees: true };
  for (const query of queries.slice(0, WARM_UP_QUERIES)) await ask(index, query, k);
  for (const query of queries.slice(0, WARM_UP_QUERIES / 10)) await ask(linear, query, k);
  const bytes = Buffer.alloc((rows * codeBits) / 8, 1);
  for (let first = 0; first < queries.length; first += TURN_QUERIES) {
    const turn = queries.slice(first, first + TURN_QUERIES);
    const farthest: (number | undefined)[] = [];
    for (const query of turn) {
      const begin = performance.now();
      const hits = await ask(index, query, k);
      round.indexMs.push(performance.now() - begin);
      farthest.push(hits.distances.at(-1));
    }
    for (const query of turn) {
      const begin = performance.now();
      await ask(linear, query, k);
      round.linearMs.push(performance.now() - begin);
    }
    for (let i = 0; i < turn.length; i++) round.readMs.push(plainReadMs(bytes));
    for (let i = 0; faiss !== undefined && i < turn.length; i++) {
      const answer = await faiss.ask(k, first + i);
      round.faissMs.push(answer.ms);
      if (answer.farthest !== farthest[i]) round.agrees = false;
    }
  }
  return round;
}

function latency(k: number, ms: readonly number[]): SearchLatency {
  return { k, p50Ms: percentile(ms, 50), p90Ms: percentile(ms, 90), p99Ms: percentile(ms, 99) };
}

// Queries per second with `concurrency` queries under way, at the first k.
async function throughput(
  index: ShardIndex,
  queries: readonly BenchQuery[],
  { ks, concurrency }: SearchBenchOptions,
): Promise<number> {
  const begin = performance.now();
  let answered = 0;
  const client = async (first: number): Promise<void> => {
    for (let i = first; performance.now() - begin < THROUGHPUT_MS; i += concurrency) {
      await ask(index, queries[i % queries.length] as BenchQuery, ks[0] ?? 10);
      answered++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, i) => client(i)));
  return (answered / (performance.now() - begin)) * 1000;
}

// What FINE must at least read: the fine codes of all rows at the k-th distance or nearer.
async function measureTied(
  index: ShardIndex,
  set: readonly PackedRows[],
  queries: readonly BenchQuery[],
  { ks, codeBits, fineCodeBits }: SearchBenchOptions,
): Promise<{ rows: number; readMs: number }> {
  const codeBytes = codeBits / 8;
  const counts: number[] = [];
  for (const query of queries.slice(0, TIED_QUERIES)) {
    const hits = await ask(index, query, ks[0] ?? 10);
    const limit = hits.distances.at(-1) ?? 0;
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
  const readBytes = (rows * fineCodeBits) / 8;
  const bytes = Buffer.alloc(Math.max(COLD_BYTES_MIN, readBytes), 1);
  const samples: number[] = [];
  for (let at = 0; at + readBytes <= bytes.length; at += readBytes) {
    samples.push(plainReadMs(bytes.subarray(at, at + readBytes)));
  }
  return { rows, readMs: percentile(samples, 50) };
}
