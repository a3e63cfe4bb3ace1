import { readFile } from 'node:fs/promises';
import { findFiles, type FoundFile } from '../src/cli/ingest/find-files.js';
import { IngestClient } from '../src/cli/ingest/ingest-client.js';
import { ingestFiles, type IngestReport } from '../src/cli/ingest/ingest-files.js';
import { openCoordinatorClient } from '../src/cli/options.js';
import type { SearchRequest } from '../src/generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../src/generated/kinscan/v1/SearchResponse.js';
import type { StatusResponse__Output } from '../src/generated/kinscan/v1/StatusResponse.js';
import { systemClock } from '../src/runtime/clock.js';
import type { GrpcClient } from '../src/runtime/grpc-client.js';
import { percentile } from './percentile.js';
import { processUsage, type ProcessUsage } from './process-usage.js';
import { startTemporaryCluster } from './temporary-cluster.js';

export interface IngestBenchOptions {
  /** Folder of images. */
  readonly data: string;
  /** Images under way at once. */
  readonly concurrency: number;
  /** Queries of each kind afterwards. */
  readonly queries: number;
  readonly shards: number;
  readonly encoders: number;
  /** Folder of the model; absent: the default model. */
  readonly model?: string;
}

export interface Latencies {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

export interface IngestBenchResult {
  readonly images: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly searchable: number;
  readonly deadLetters: number;
  readonly secondsUntilAccepted: number;
  readonly secondsUntilSearchable: number;
  readonly imagesPerSecond: number;
  /** At the client, over gRPC, one query at a time. */
  readonly searchById: Latencies;
  readonly searchByImage: Latencies;
  /** Of each process, by role; the ingest client is this process. */
  readonly usage: Readonly<Record<string, ProcessUsage[]>>;
}

const CALL_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
const WARM_UP_QUERIES = 20;
const INDEXED_TIMEOUT_MS = 1_800_000;

/**
 * Streams a folder through a fresh local cluster (nats-server with sync_interval always) until every image is searchable
 * or a dead letter, then measures queries from one client.
 */
export async function runIngestBench(options: IngestBenchOptions): Promise<IngestBenchResult> {
  const files: FoundFile[] = [];
  for await (const file of findFiles(options.data)) files.push(file);
  const cluster = await startTemporaryCluster({
    flags: [
      ...['--shards', String(options.shards), '--encoders', String(options.encoders)],
      ...(options.model === undefined ? [] : ['--model', options.model]),
    ],
  });
  const grpc = openCoordinatorClient(cluster.address);
  const client = new IngestClient({ client: grpc, clock: systemClock, retryTimeoutMs: 600_000 });
  try {
    const startedMs = performance.now();
    const report = await ingestAll(client, files, options.concurrency);
    const secondsUntilAccepted = (performance.now() - startedMs) / 1000;
    const status = await waitUntilIndexed(grpc, report.accepted);
    const secondsUntilSearchable = (performance.now() - startedMs) / 1000;
    const usage = usageOf({ ...cluster.pids, client: [process.pid] });
    return {
      images: files.length,
      accepted: report.accepted,
      rejected: report.rejected,
      searchable: status.images,
      deadLetters: status.deadLetters,
      secondsUntilAccepted,
      secondsUntilSearchable,
      imagesPerSecond: status.images / secondsUntilSearchable,
      ...(await measureQueries(grpc, files, options.queries)),
      usage,
    };
  } finally {
    client.close();
    grpc.close();
    await cluster.stop();
  }
}

function usageOf(pids: Readonly<Record<string, readonly number[]>>): Record<string, ProcessUsage[]> {
  return Object.fromEntries(Object.entries(pids).map(([role, ids]) => [role, ids.map(processUsage)]));
}

async function ingestAll(
  client: IngestClient,
  files: readonly FoundFile[],
  concurrency: number,
): Promise<IngestReport> {
  async function* all() {
    yield* files;
  }
  return ingestFiles(client, all(), { wait: 'INGEST_WAIT_QUEUED', labelFromFolder: true, concurrency });
}

async function waitUntilIndexed(grpc: GrpcClient, accepted: number): Promise<StatusResponse__Output> {
  const giveUpMs = performance.now() + INDEXED_TIMEOUT_MS;
  for (;;) {
    const status = await grpc.call<object, StatusResponse__Output>(
      'Status',
      {},
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    if (status.images + status.deadLetters >= accepted) return status;
    if (performance.now() > giveUpMs)
      throw new Error(`only ${status.images} of ${accepted} images are searchable`);
    await systemClock.sleep(POLL_MS);
  }
}

async function measureQueries(grpc: GrpcClient, files: readonly FoundFile[], queries: number) {
  const chosen = Array.from(
    { length: queries },
    (_, i) => files[Math.floor((i * files.length) / queries)] as FoundFile,
  );
  const images = await Promise.all(chosen.map((file) => readFile(file.path)));
  const searchById = await latencies(
    grpc,
    chosen.map((file) => ({ imageId: file.relativePath, k: 10 })),
  );
  const searchByImage = await latencies(
    grpc,
    images.map((image) => ({ image, k: 10 })),
  );
  return { searchById, searchByImage };
}

async function latencies(grpc: GrpcClient, requests: readonly SearchRequest[]): Promise<Latencies> {
  const samples: number[] = [];
  for (const request of [...requests.slice(0, WARM_UP_QUERIES), ...requests]) {
    const startedMs = performance.now();
    await grpc.call<SearchRequest, SearchResponse__Output>('Search', request, { timeoutMs: CALL_TIMEOUT_MS });
    samples.push(performance.now() - startedMs);
  }
  const measured = samples.slice(Math.min(WARM_UP_QUERIES, requests.length));
  return {
    p50Ms: percentile(measured, 50),
    p90Ms: percentile(measured, 90),
    p99Ms: percentile(measured, 99),
  };
}
