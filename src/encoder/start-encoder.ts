import { availableParallelism, hostname } from 'node:os';
import { systemClock } from '../runtime/clock.js';
import { openClusterState, type ClusterState } from '../runtime/cluster-state.js';
import { startGrpcServer } from '../runtime/grpc-server.js';
import type { RunningRole } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/log.js';
import { startMetricsServer, type MetricsServer } from '../runtime/metrics-server.js';
import { connectNats } from '../runtime/nats.js';
import { softwareVersion } from '../runtime/software-version.js';
import { ensureStreams, STREAM_LIMITS_DEFAULT } from '../runtime/streams.js';
import { claimModel, claimPatientHashKey } from './claim-collection.js';
import { checkEncoderConfig, type EncoderConfig } from './config.js';
import type { DecodeSettings } from './decode-task.js';
import { Decoder } from './decoder.js';
import { encodeService } from './encode-service.js';
import { addGauges, createEncoderMetrics, type EncoderMetrics } from './encoder-metrics.js';
import { FRAMES_PER_TASK } from './frame-encoder.js';
import { Inference } from './inference.js';
import { SuspectDecoder } from './suspect-decoder.js';
import { ENTRY_OVERHEAD_BYTES_MAX, openIngestPipeline, type IngestPipeline } from './ingest-pipeline.js';

/** Longer side of the thumbnails in the records, in pixels. */
const THUMBNAIL_EDGE_MAX_PIXELS = 128;
/** Limit on the wait for a coordinator to create the collection. */
const COLLECTION_TIMEOUT_MS = 60_000;
/** Limit on the end of queries under way. */
const QUERIES_DRAIN_TIMEOUT_MS = 5_000;
const DECODE_THREADS_MAX = 32;

export interface RunningEncoder extends RunningRole {
  /** Of the gRPC server. */
  readonly port: number;
  /** Of /metrics, where there is one. */
  readonly httpPort: number | undefined;
  readonly modelVersion: string;
  readonly metrics: EncoderMetrics;
}

type Closer = () => Promise<unknown>;

/**
 * Starts an encoder node; resolves when it is warm, answers queries and pulls images.
 * @throws KinscanError INVALID_MODEL, MODEL_VERSION_MISMATCH, LOG_UNAVAILABLE, NOT_READY, INVALID_ARGUMENT (port,
 *   patient hash key)
 */
export async function startEncoder(config: EncoderConfig, log: Logger): Promise<RunningEncoder> {
  checkEncoderConfig(config);
  const closers: Closer[] = [];
  try {
    return await start(config, log, closers);
  } catch (error) {
    for (const close of closers.reverse()) await close().catch(() => undefined);
    throw error;
  }
}

async function start(config: EncoderConfig, log: Logger, closers: Closer[]): Promise<RunningEncoder> {
  const metrics = createEncoderMetrics();
  const inference = await openInference(config, metrics, log);
  closers.push(() => inference.close());
  const settings = decodeSettings(config, inference);
  const decoder = openDecoder(config, settings, metrics, log);
  closers.push(() => decoder.close());
  const suspectDecoder = new SuspectDecoder({ settings, log });
  const connection = await connectNats({ servers: config.nats, name: `kinscan-encoder ${config.id}`, log });
  closers.push(() => connection.close());
  await ensureStreams(connection, { ...STREAM_LIMITS_DEFAULT, replicas: config.streamReplicas });
  const state = await openClusterState(connection, log, config.streamReplicas);
  await claimModel(state, inference.engine);
  await claimPatientHashKey(state, config.patientHashKey);
  const { partitionCount } = await state.waitFor('collection', COLLECTION_TIMEOUT_MS);
  const pipeline = await openIngestPipeline({
    config,
    connection,
    decoder,
    suspectDecoder,
    inference,
    partitionCount,
    clock: systemClock,
    metrics,
    log,
  });

  let isDraining = false;
  const { host, port, queriesInFlightMax } = config;
  const server = await startGrpcServer({
    host,
    port,
    messageBytesMax: config.imageBytesMax + ENTRY_OVERHEAD_BYTES_MAX,
    services: {
      Encoder: encodeService({
        decoder,
        inference,
        queriesInFlightMax,
        isDraining: () => isDraining,
        metrics,
        log,
      }),
    },
    log,
  });
  closers.push(() => server.drain(0));
  const metricsServer = await serveMetrics(
    config,
    metrics,
    { pipeline, decoder, inference },
    () => !isDraining,
  );
  if (metricsServer !== undefined) closers.push(() => metricsServer.close());
  await announce(state, config, server.port);
  pipeline.start();
  server.setServing(true);
  log.info({ port: server.port, ...inference.engine, partitionCount }, 'encoder is ready');

  const drain = async (): Promise<void> => {
    if (isDraining) return;
    isDraining = true;
    server.setServing(false);
    const leaving = state.leave().catch(() => undefined);
    await Promise.all([pipeline.drain(), server.drain(QUERIES_DRAIN_TIMEOUT_MS)]);
    suspectDecoder.close();
    await Promise.all([leaving, metricsServer?.close(), decoder.close(), inference.close()]);
    // acks are not waited for one by one: this sends them
    await connection.drain();
  };
  const { modelVersion } = inference.engine;
  return {
    port: server.port,
    httpPort: metricsServer?.port,
    modelVersion,
    metrics,
    failed: pipeline.failed,
    drain,
  };
}

function openInference(config: EncoderConfig, metrics: EncoderMetrics, log: Logger): Promise<Inference> {
  return Inference.open({
    settings: { modelFolder: config.model, engine: config.engine },
    threads: config.inferenceThreads,
    batchImagesMax: config.batchImagesMax,
    batchWaitMaxMs: config.batchWaitMaxMs,
    queueLengthMax: queueLengthMax(config),
    metrics,
    log,
  });
}

function decodeSettings(config: EncoderConfig, { engine }: Inference): DecodeSettings {
  const { imageBytesMax: bytesMax, imagePixelsMax: pixelsMax, framesMax } = config;
  return {
    limits: { bytesMax, pixelsMax, framesMax },
    inputSize: engine.inputSize,
    thumbnailEdgeMaxPixels: THUMBNAIL_EDGE_MAX_PIXELS,
    patientHashKey: config.patientHashKey,
  };
}

function openDecoder(
  config: EncoderConfig,
  settings: DecodeSettings,
  metrics: EncoderMetrics,
  log: Logger,
): Decoder {
  const threads = config.decodeThreads || Math.min(DECODE_THREADS_MAX, availableParallelism());
  return new Decoder({ threads, queueLengthMax: queueLengthMax(config), settings, metrics, log });
}

/** Room for all that the limits in front let in: each entry has one file or up to 16 frames waiting. */
function queueLengthMax(config: EncoderConfig): number {
  return config.imagesInFlightMax * FRAMES_PER_TASK + config.queriesInFlightMax;
}

async function serveMetrics(
  { host, httpPort }: EncoderConfig,
  metrics: EncoderMetrics,
  parts: { readonly pipeline: IngestPipeline; readonly decoder: Decoder; readonly inference: Inference },
  isReady: () => boolean,
): Promise<MetricsServer | undefined> {
  if (httpPort === 0) return undefined;
  addGauges(metrics, {
    inFlightImages: () => parts.pipeline.budget.images,
    inFlightBytes: () => parts.pipeline.budget.bytes,
    decodeWaiting: () => parts.decoder.waitingCount,
    inferWaiting: () => parts.inference.waitingCount,
  });
  return startMetricsServer({ host, port: httpPort, registry: metrics.registry, isReady });
}

function announce(state: ClusterState, config: EncoderConfig, port: number): Promise<void> {
  const id = config.id || `${hostname()}-${port}`;
  const address = config.advertise || `${config.host}:${port}`;
  const startedAtMs = systemClock.nowMs();
  return state.announce(() => ({
    id,
    role: 'encoder',
    address,
    softwareVersion: softwareVersion(),
    startedAtMs,
  }));
}
