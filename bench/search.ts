import { monitorEventLoopDelay } from 'node:perf_hooks';
import { hammingDistance } from '../src/core/code.js';
import type { IndexHits, PackedRows, Ranking, ShardIndex } from '../src/shard/index/index-api.js';
import { openShardIndex } from '../src/shard/index/shard-index.js';
import { BenchRandom, makeCodeSet, type CodeDistribution } from './code-set.js';
import { FAISS_HINT, runFaiss, type FaissResult } from './faiss.js';
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

/** Measures the index of one shard server in this process, beside the limits and the rivals, on made-up codes. */
export async function runSearchBench(options: SearchBenchOptions): Promise<SearchBenchResult> {
  const stage = options.onStage ?? (() => undefined);
  stage('making codes');
  const set = makeCodeSet(options);
  const queries = makeQueries(set, options);
  stage('plain read');
  const plainReadMs = plainRead((options.rows * options.codeBits) / 8);
  stage('loading and building');
  const built = await buildIndex(set, options, 'auto');
  stage('searching with the index');
  const indexed = await measureAll(built.index, queries, options);
  const queriesPerSecond = await throughput(built.index, queries, options);
  const tied = options.fineCodeBits > 0 ? await measureTied(built.index, set, queries, options) : undefined;
  await built.index.close();
  stage('searching linearly');
  const linearIndex = await buildIndex(set, options, 'never');
  const linear = await measureAll(linearIndex.index, queries, options);
  await linearIndex.index.close();
  if (options.faiss) stage('FAISS');
  const codes = set.map((rows) => rows.codes);
  const faiss = options.faiss
    ? await runFaiss(
        codes,
        queries.map(({ code }) => code),
        options.ks,
      )
    : undefined;
  return {
    rows: options.rows,
    ...built.figures,
    plainReadMs,
    indexed: indexed.latencies,
    queriesPerSecond,
    linear: linear.latencies,
    faiss:
      faiss?.results.map(({ k, ms }) => latency(k, ms)) ?? (options.faiss ? FAISS_HINT : 'not asked for'),
    faissVersion: faiss?.version,
    faissAgrees: faiss === undefined ? undefined : agrees(faiss, indexed.farthest),
    tiedRows: tied?.rows,
    tiedFineReadMs: tied?.readMs,
  };
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

/** Median milliseconds in which memchr (Buffer.indexOf of a byte that is not there) reads `byteLength` bytes. */
function plainRead(byteLength: number): number {
  const bytes = Buffer.alloc(byteLength, 1);
  const samples = Array.from({ length: 21 }, () => {
    const begin = performance.now();
    bytes.indexOf(0);
    return performance.now() - begin;
  });
  return percentile(samples, 50);
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

async function measureAll(index: ShardIndex, queries: readonly BenchQuery[], { ks }: SearchBenchOptions) {
  const latencies: SearchLatency[] = [];
  const farthest = new Map<number, number[]>();
  for (const k of ks) {
    for (const query of queries.slice(0, WARM_UP_QUERIES)) await ask(index, query, k);
    const ms: number[] = [];
    const distances: number[] = [];
    for (const query of queries) {
      const begin = performance.now();
      const hits = await ask(index, query, k);
      ms.push(performance.now() - begin);
      distances.push(hits.distances.at(-1) ?? -1);
    }
    latencies.push(latency(k, ms));
    farthest.set(k, distances);
  }
  return { latencies, farthest };
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

function agrees(faiss: FaissResult, farthest: ReadonlyMap<number, readonly number[]>): boolean {
  return faiss.results.every((result) => {
    const ours = farthest.get(result.k) ?? [];
    return result.farthest.every((distance, i) => distance === ours[i]);
  });
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
  return { rows, readMs: plainRead((rows * fineCodeBits) / 8) };
}
