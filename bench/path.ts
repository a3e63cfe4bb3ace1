import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openCoordinatorClient } from '../src/cli/options.js';
import { systemClock } from '../src/runtime/clock.js';
import type { GrpcClient } from '../src/runtime/grpc-client.js';
import { DELTA_ROWS_MIN } from '../src/shard/index/build-segment.js';
import { BenchRandom, type CodeDistribution } from './code-set.js';
import { makeEmptyCalls, type EmptyCallsResult } from './empty-calls.js';
import { codeOfImage, galleryImageId, makeGallery, type Gallery, type GalleryOptions } from './gallery.js';
import { writeGallery } from './gallery-writer.js';
import { isArchiveKept, markKept } from './kept-archive.js';
import { startPathCluster, untilSearchable, type PathCluster } from './path-cluster.js';
import { pauseMsOf, ProcessWatch, type Lap } from './process-watch.js';
import { loadWithQueries, type QueryLoadResult } from './query-load.js';
import { startRecordStream, type StreamedRecords } from './record-stream.js';
import { readMetrics } from './role-metrics.js';
import { askShard, type ShardCallResult } from './shard-load.js';

export interface PathBenchOptions {
  readonly images: number;
  /** Multiple of 8. */
  readonly codeBits: number;
  /** Multiple of 8; 0: none. */
  readonly fineCodeBits: number;
  readonly distribution: CodeDistribution;
  /** A power of two. */
  readonly partitions: number;
  readonly shards: number;
  readonly k: number;
  /** Clients where many ask at once. */
  readonly clients: number;
  /** Records that stream in during the last measurement. */
  readonly recordsPerSecond: number;
  /** Length of each measurement. */
  readonly seconds: number;
  readonly seed: number;
  /** Kept, with what streams in; filled where it is not there. @default a temporary folder, removed afterwards */
  readonly dataDir?: string;
  /** Told what is going on. */
  readonly onStage?: (stage: string) => void;
}

export interface PathMeasurement extends QueryLoadResult {
  /** Processor time of a query, by process; the client is this process. */
  readonly cpuMsPerQuery: Readonly<Record<string, number>>;
  readonly longestPauseMs: Lap['longestPauseMs'];
}

export interface PathBenchResult {
  readonly images: number;
  /** 0 where the archive was there already. */
  readonly writeSeconds: number;
  /** From the start of the processes until all images are searchable, until every base is built, and the pauses between the two. */
  readonly start: {
    readonly loadSeconds: number;
    readonly buildSeconds: number;
    readonly longestPauseMs: Lap['longestPauseMs'];
  };
  /** Search by code, one query at a time. */
  readonly oneClient: PathMeasurement;
  /** The same over one SearchStream instead of a call for each query. */
  readonly oneClientStream: PathMeasurement;
  /** By image id, which ranks FINE: the coordinator fetches the codes first. */
  readonly oneClientById: PathMeasurement;
  /** Without the coordinator: what of the time is the shard server's. */
  readonly oneShardServer: ShardCallResult;
  readonly manyClients: PathMeasurement;
  /** Calls to the coordinator of which nothing is asked, beside oneClient and beside manyClients: the limit of this machine. */
  readonly emptyCalls: { readonly oneClient: EmptyCallsResult; readonly manyClients: EmptyCallsResult };
  /** Each client over one SearchStream, one query at a time, instead of a call for each query. */
  readonly manyClientStreams: PathMeasurement;
  /** One client again, while records stream in. */
  readonly streaming: PathMeasurement;
  readonly streamed: StreamedRecords & {
    /** From the end of the stream until all its records were searchable. */
    readonly lagSeconds: number;
  };
  /** p99 of one client while records stream in, over p99 without. */
  readonly streamingToIdleP99: number;
  readonly peakMemoryMib: Readonly<Record<string, number>>;
}

interface Queries {
  readonly codes: readonly Uint8Array[];
  readonly imageIds: readonly string[];
}

const QUERIES = 2_000;
/** Of each kind at least, and for as long as a measurement: V8 goes on compiling for thousands of queries. */
const WARM_UP_QUERIES = 1_500;
const POLL_MS = 500;

/**
 * Measures the whole path of a query, client to coordinator to shard servers and back, all of them processes on this
 * machine, over a made-up archive that is written into the shard servers' data folders beforehand.
 */
export async function runPathBench(options: PathBenchOptions): Promise<PathBenchResult> {
  const stage = options.onStage ?? (() => undefined);
  const folder = await mkdtemp(path.join(tmpdir(), 'kinscan-path-'));
  const stops: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const archive = options.dataDir ?? path.join(folder, 'archive');
    const shardFolders = Array.from({ length: options.shards }, (_, i) => ({
      id: `shard-${i + 1}`,
      folder: path.join(archive, `shard-${i + 1}`),
    }));
    const { images, codeBits, fineCodeBits, distribution, seed, partitions } = options;
    const model = { modelVersion: 'bench'.padEnd(64, '0'), codeBits, fineCodeBits };
    const gallery: GalleryOptions = { ...model, images, distribution, seed, partitions };
    const settings = {
      images,
      codeBits,
      fineCodeBits,
      distribution,
      seed,
      partitions,
      shards: options.shards,
    };
    const isWritten = isArchiveKept(archive, settings);
    stage(isWritten ? 'reading the archive' : 'writing the archive');
    const beginMs = performance.now();
    const queries = await writeArchive(makeGallery(gallery), isWritten ? [] : shardFolders, stage);
    if (!isWritten) markKept(archive, settings);
    const writeSeconds = isWritten ? 0 : secondsSince(beginMs);
    stage('starting the processes');
    const cluster = await startPathCluster({ folder, shardFolders, partitions, model });
    stops.unshift(() => cluster.stop());
    const coordinator = openCoordinatorClient(cluster.address);
    stops.unshift(() => Promise.resolve(coordinator.close()));
    const measured = await measure({ cluster, coordinator, queries, gallery, options });
    return { images, writeSeconds, ...measured };
  } finally {
    stage('stopping the processes');
    for (const stop of stops) await stop();
  }
}

/** A function of its own, so that the gallery is given back before the measurement. Without folders it writes nothing. */
async function writeArchive(
  gallery: Gallery,
  shardFolders: Parameters<typeof writeGallery>[1],
  stage: (stage: string) => void,
): Promise<Queries> {
  if (shardFolders.length > 0)
    await writeGallery(gallery, shardFolders, (images) => stage(`${images} images written`));
  const { images, codeBits, distribution, seed } = gallery.options;
  const random = new BenchRandom(seed + 1);
  const chosen = Array.from({ length: QUERIES }, () => random.u32() % images);
  // as in `bench search`: a member of the gallery, but among uniform codes a code like none
  const codeOf = (image: number) =>
    distribution === 'uniform' ? random.bytes(codeBits / 8) : codeOfImage(gallery, image).slice();
  return { codes: chosen.map(codeOf), imageIds: chosen.map(galleryImageId) };
}

interface MeasureOptions {
  readonly cluster: PathCluster;
  readonly coordinator: GrpcClient;
  readonly queries: Queries;
  readonly gallery: GalleryOptions;
  readonly options: PathBenchOptions;
}

async function measure({ cluster, coordinator, queries, gallery, options }: MeasureOptions) {
  const { images, codeBits, k, seconds, clients, recordsPerSecond } = options;
  const stage = options.onStage ?? (() => undefined);
  const { address } = cluster;
  const watch = new ProcessWatch(cluster.processes());
  const startedMs = performance.now();
  const status = await untilSearchable(coordinator, images);
  const loadSeconds = secondsSince(startedMs);
  await watch.lap(); // a process that starts loads its modules in one turn
  const longestPauseMs = await untilBuilt(cluster);
  const buildSeconds = secondsSince(startedMs);
  const byCode = queries.codes.map((bits) => ({ code: { bits, codeBits }, k }));
  const byId = queries.imageIds.map((imageId) => ({ imageId, k }));

  const run = async (what: string, load: Parameters<typeof loadWithQueries>[0]): Promise<PathMeasurement> => {
    stage(what);
    await watch.lap();
    const result = await loadWithQueries(load);
    const lap = await watch.lap();
    const cpuMsPerQuery = Object.fromEntries(
      Object.entries(lap.cpuSeconds).map(([name, cpu]) => [name, (cpu * 1_000) / result.queries]),
    );
    return { ...result, cpuMsPerQuery, longestPauseMs: lap.longestPauseMs };
  };
  stage('warming up');
  const warmUp = { address, clients, seconds, queriesMin: WARM_UP_QUERIES };
  await loadWithQueries({ ...warmUp, requests: byId });
  await loadWithQueries({ ...warmUp, requests: byCode });
  const one = { address, clients: 1, seconds };
  const oneClient = await run('one client, by code', { ...one, requests: byCode });
  stage('empty calls');
  const emptyOfOne = await makeEmptyCalls(one);
  const oneClientStream = await run('one client over a stream', {
    ...{ ...one, requests: byCode },
    over: 'streams',
  });
  const oneClientById = await run('one client, by id', { ...one, requests: byId });
  stage('one shard server directly');
  const oneShardServer = await askShard({ status, codes: queries.codes, k, seconds });
  const manyClients = await run(`${clients} clients`, { ...one, requests: byCode, clients });
  stage('empty calls');
  const emptyOfMany = await makeEmptyCalls({ ...one, clients });
  const manyClientStreams = await run(`${clients} clients over streams`, {
    ...{ ...one, requests: byCode, clients },
    over: 'streams',
  });
  const stream = await startRecordStream({
    natsServers: cluster.natsServers,
    recordsPerSecond,
    gallery,
    firstRevision: images + 1,
  });
  const streaming = await run('one client while records stream in', { ...one, requests: byCode });
  const streamed = await stream.stop();
  const stoppedMs = performance.now();
  await untilSearchable(coordinator, images + streamed.records);
  return {
    start: { loadSeconds, buildSeconds, longestPauseMs },
    ...{
      oneClient,
      oneClientStream,
      oneClientById,
      oneShardServer,
      manyClients,
      manyClientStreams,
      streaming,
    },
    emptyCalls: { oneClient: emptyOfOne, manyClients: emptyOfMany },
    streamed: { ...streamed, lagSeconds: secondsSince(stoppedMs) },
    streamingToIdleP99: streaming.latency.p99Ms / oneClient.latency.p99Ms,
    peakMemoryMib: watch.peakMemoryMib(),
  };
}

/**
 * Resolves when no partition has more rows outside its base than it may have for long.
 * @returns the longest pause of each process meanwhile
 */
async function untilBuilt(cluster: PathCluster): Promise<Lap['longestPauseMs']> {
  const pauses = new Map<string, number>();
  for (;;) {
    await systemClock.sleep(POLL_MS);
    const read = cluster.processes().map(async ({ name, metricsUrl }) => {
      if (metricsUrl === undefined) return [];
      const samples = await readMetrics(metricsUrl);
      pauses.set(name, Math.max(pauses.get(name) ?? 0, pauseMsOf(samples)));
      return samples;
    });
    const deltas = (await Promise.all(read)).flat().filter(({ name }) => name === 'kinscan_shard_delta_rows');
    if (deltas.length > 0 && deltas.every(({ value }) => value <= DELTA_ROWS_MIN)) {
      return Object.fromEntries(pauses);
    }
  }
}

function secondsSince(startMs: number): number {
  return (performance.now() - startMs) / 1_000;
}
