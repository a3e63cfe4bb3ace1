import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { PackedRows, ShardIndex } from '../src/shard/index/index-api.js';
import { openShardIndex } from '../src/shard/index/shard-index.js';
import { ColdReads } from './cold-reads.js';
import { countTied } from './count-tied.js';
import { BenchRandom, makeCodeSet, makeQueryCodes, type CodeDistribution } from './code-set.js';
import { FAISS_HINT, FaissPeer } from './faiss.js';
import { percentile } from './percentile.js';
import { residentBytes, restingResidentBytes } from './resident-memory.js';
import { limitsOf, type Limit } from './search-limits.js';
import { indexMs, queriesPerSecond, takeTurns, type BenchQuery, type Turns } from './search-turns.js';
import { upsertAll } from './upsert-cycles.js';

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
  /** How often every image is given another code before the searches. */
  readonly cycles: number;
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
  /** Bytes in use by segments. */
  readonly bytesPerImage: number;
  /** Resident memory of the process over that before the index was opened, over code + tie key + fine code. */
  readonly residentFactor: number;
  /** The same after each upsert cycle. */
  readonly residentFactorsAfterCycles: readonly number[];
  readonly cycleSeconds: readonly number[];
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
  /** What is asked of such codes, and whether it holds. */
  readonly limits: readonly Limit[];
}

const THROUGHPUT_MS = 3_000;

/**
 * Measures the index of one shard server in this process, beside the limits and the rivals, on made-up codes. All are
 * asked the same queries in turns, so that what else the machine does meets them alike.
 */
export async function runSearchBench(options: SearchBenchOptions): Promise<SearchBenchResult> {
  const stage = options.onStage ?? (() => undefined);
  stage('making codes');
  const set = makeCodeSet(options);
  const emptyBytes = residentBytes();
  const residentFactor = async (): Promise<number> => {
    return ((await restingResidentBytes()) - emptyBytes) / rowBytes(options);
  };
  stage('loading and building');
  const index = await openIndex(options, 'auto');
  let linear: ShardIndex | undefined;
  let faiss: FaissPeer | undefined;
  try {
    const built = await build(index, set, options);
    const memory = { residentFactor: await residentFactor(), residentFactorsAfterCycles: [] as number[] };
    const cycleSeconds: number[] = [];
    for (let cycle = 1; cycle <= options.cycles; cycle++) {
      stage(`giving every image another code, ${cycle} of ${options.cycles}`);
      const begin = performance.now();
      await upsertAll(index, set, options);
      cycleSeconds.push((performance.now() - begin) / 1000);
      memory.residentFactorsAfterCycles.push(await residentFactor());
    }
    stage('building the rivals');
    const queries = makeQueries(set, options);
    linear = await openIndex(options, 'never');
    await build(linear, set, options);
    if (options.faiss) faiss = await startFaiss(set, queries);
    stage('searching');
    const [k = 10] = options.ks;
    const tiedRows = options.fineCodeBits > 0 ? await countTied(index, set, queries, k) : undefined;
    const tied = tiedRows === undefined ? undefined : new ColdReads((tiedRows * options.fineCodeBits) / 8);
    const codeBytes = Buffer.alloc((options.rows * options.codeBits) / 8, 1);
    const rivals = { index, linear, faiss, codeBytes, tied };
    const rounds: Turns[] = [];
    for (const k of options.ks) rounds.push(await takeTurns(rivals, queries, k));
    stage('searching with many queries at once');
    const throughput = { k, concurrency: options.concurrency, durationMs: THROUGHPUT_MS };
    const perSecond = await queriesPerSecond(index, queries, throughput);
    const result = {
      rows: options.rows,
      ...built,
      ...memory,
      cycleSeconds,
      ...latencies(rounds, faiss),
      queriesPerSecond: perSecond,
      tiedRows,
      tiedFineReadMs: tied && percentile(rounds[0]?.tiedReadMs ?? [], 50),
    };
    return { ...result, limits: limitsOf(result, options) };
  } finally {
    await Promise.all([index.close(), linear?.close(), faiss?.stop()]);
  }
}

/** The median latency of the index alone, per k, on a gallery of this size. */
export async function measureIndexAlone(options: SearchBenchOptions): Promise<SearchLatency[]> {
  const set = makeCodeSet(options);
  const index = await openIndex(options, 'auto');
  try {
    await build(index, set, options);
    const queries = makeQueries(set, options);
    const latencies: SearchLatency[] = [];
    for (const k of options.ks) latencies.push(latency(k, await indexMs(index, queries, k)));
    return latencies;
  } finally {
    await index.close();
  }
}

function makeQueries(set: readonly PackedRows[], options: SearchBenchOptions): BenchQuery[] {
  const random = new BenchRandom(options.seed + 2);
  const codes = makeQueryCodes(set, options, options.queries);
  return codes.map((code) => ({ code, fineCode: random.bytes(options.fineCodeBits / 8) }));
}

function startFaiss(set: readonly PackedRows[], queries: readonly BenchQuery[]) {
  return FaissPeer.start(
    set.map(({ codes }) => codes),
    queries.map(({ code }) => code),
  );
}

function openIndex(options: SearchBenchOptions, probe: 'auto' | 'never'): Promise<ShardIndex> {
  const { codeBits, fineCodeBits, threads, concurrency } = options;
  const queueLengthMax = Math.max(64, concurrency);
  return openShardIndex({
    codeBits,
    fineCodeBits,
    searchThreads: threads,
    queueLengthMax,
    tuning: { probe },
  });
}

async function build(index: ShardIndex, set: readonly PackedRows[], options: SearchBenchOptions) {
  const begin = performance.now();
  set.forEach((some, partition) => index.load(partition, some));
  const loaded = performance.now();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await index.settled();
  delay.disable();
  const { partitions, usedBytes } = index.stats();
  return {
    distinctCodes: partitions.reduce((sum, { distinctCodes }) => sum + distinctCodes, 0),
    loadSeconds: (loaded - begin) / 1000,
    buildSeconds: (performance.now() - begin) / 1000,
    longestPauseMs: delay.max / 1e6,
    bytesPerImage: usedBytes / options.rows,
  };
}

/** Bytes of code, tie key and fine code of all rows. */
function rowBytes({ rows, codeBits, fineCodeBits }: SearchBenchOptions): number {
  return rows * (codeBits / 8 + 8 + fineCodeBits / 8);
}

function latencies(rounds: readonly Turns[], faiss: FaissPeer | undefined) {
  return {
    plainReadMs: percentile(
      rounds.flatMap(({ readMs }) => readMs),
      50,
    ),
    indexed: rounds.map(({ k, indexMs }) => latency(k, indexMs)),
    linear: rounds.map(({ k, linearMs }) => latency(k, linearMs)),
    faiss: faiss === undefined ? FAISS_HINT : rounds.map(({ k, faissMs }) => latency(k, faissMs)),
    faissVersion: faiss?.version,
    faissAgrees: faiss === undefined ? undefined : rounds.every(({ agrees }) => agrees),
  };
}

function latency(k: number, ms: readonly number[]): SearchLatency {
  return { k, p50Ms: percentile(ms, 50), p90Ms: percentile(ms, 90), p99Ms: percentile(ms, 99) };
}
