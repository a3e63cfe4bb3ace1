import { hostname } from 'node:os';
import { systemClock } from '../runtime/clock.js';
import { openClusterState, type ClusterState } from '../runtime/cluster-state.js';
import { startGrpcServer } from '../runtime/grpc-server.js';
import type { RunningRole } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/log.js';
import { createRegistry, startMetricsServer } from '../runtime/metrics-server.js';
import { connectNats, type NatsConnection } from '../runtime/nats.js';
import { softwareVersion } from '../runtime/software-version.js';
import { applyStreamLimits, ensureStreams } from '../runtime/streams.js';
import { ClusterView } from './cluster-view.js';
import { checkCoordinatorConfig, type CoordinatorConfig } from './config.js';
import { buildServices } from './coordinator-services.js';
import { startMaintenance } from './maintenance.js';
import { rpcHandlers } from './rpc-handlers.js';
import { warmUpSearch } from './search-warm-up.js';

export interface RunningCoordinator extends RunningRole {
  /** gRPC. */
  readonly port: number;
  /** 0 where there is no metrics server. */
  readonly httpPort: number;
}

/** A nats-server that has just started, or whose cluster has no leader yet, gets so long to take requests. */
const JETSTREAM_START_TIMEOUT_MS = 30_000;
const JETSTREAM_START_RETRY_MS = 500;
/** Calls that are still under way after it are cut off; below the limit of the whole drain. */
const CALLS_DRAIN_TIMEOUT_MS = 8_000;
/** Room in a message beside the image. */
const MESSAGE_OVERHEAD_BYTES = 1024 * 1024;

/**
 * Starts a coordinator: connects to NATS, creates what is missing there, listens, and announces itself.
 * @throws KinscanError LOG_UNAVAILABLE (no NATS), INVALID_ARGUMENT (configuration, port taken)
 */
export async function startCoordinator(config: CoordinatorConfig, log: Logger): Promise<RunningCoordinator> {
  checkCoordinatorConfig(config);
  const connection = await connectNats({ servers: config.nats, name: 'kinscan-coordinator', log });
  try {
    return await startConnected(connection, config, log);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function startConnected(
  connection: NatsConnection,
  config: CoordinatorConfig,
  log: Logger,
): Promise<RunningCoordinator> {
  const state = await whenJetStreamAnswers(() => prepareCluster(connection, config, log));
  const { partitionCount } = await state.createOrRead('collection', { partitionCount: config.partitions });
  if (partitionCount !== config.partitions) log.info({ partitionCount }, 'the gallery keeps its partitions');
  const cluster = new ClusterView(state, partitionCount);
  await cluster.follow();

  const draining = new AbortController();
  const registry = createRegistry('coordinator');
  const messageBytesMax = config.imageBytesMax + MESSAGE_OVERHEAD_BYTES;
  const parts = await buildServices({
    connection,
    cluster,
    config,
    clock: systemClock,
    log,
    registry,
    messageBytesMax,
    drainSignal: draining.signal,
  });
  const server = await startGrpcServer({
    host: config.host,
    port: config.port,
    messageBytesMax,
    services: rpcHandlers(parts.services),
    log,
  });
  const maintenance = startMaintenance({
    cluster,
    state,
    parts,
    config,
    log,
    onReady: () => {
      server.setServing(true);
      void warmUpSearch({
        address: `${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${server.port}`,
        messageBytesMax,
        codeBits: cluster.model().codeBits,
        clock: systemClock,
        log,
        signal: draining.signal,
      });
    },
  });
  const http =
    config.httpPort === 0
      ? undefined
      : await startMetricsServer({
          host: config.host,
          port: config.httpPort,
          registry,
          isReady: () => maintenance.isReady && !draining.signal.aborted,
        });
  await announce(state, config, server.port);
  log.info({ port: server.port, httpPort: http?.port ?? 0 }, 'coordinator listens');

  return {
    port: server.port,
    httpPort: http?.port ?? 0,
    failed: failureOf(connection, draining.signal),
    drain: async () => {
      draining.abort();
      server.setServing(false);
      await state.leave().catch((error: unknown) => log.debug({ err: error }, 'leave not stored'));
      await server.drain(CALLS_DRAIN_TIMEOUT_MS);
      maintenance.stop();
      parts.close();
      await http?.close();
      await connection.close();
    },
  };
}

async function prepareCluster(
  connection: NatsConnection,
  config: CoordinatorConfig,
  log: Logger,
): Promise<ClusterState> {
  const limits = {
    imagesBytesMax: config.imagesStreamBytesMax,
    codesBytesMax: config.codesStreamBytesMax,
    deadLettersBytesMax: config.deadLettersBytesMax,
    replicas: config.streamReplicas,
  };
  await ensureStreams(connection, limits);
  await applyStreamLimits(connection, limits);
  return openClusterState(connection, log, config.streamReplicas);
}

async function whenJetStreamAnswers<Result>(work: () => Promise<Result>): Promise<Result> {
  const endMs = systemClock.monotonicMs() + JETSTREAM_START_TIMEOUT_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (systemClock.monotonicMs() > endMs) throw error;
      await systemClock.sleep(JETSTREAM_START_RETRY_MS);
    }
  }
}

async function announce(state: ClusterState, config: CoordinatorConfig, port: number): Promise<void> {
  const startedAtMs = systemClock.nowMs();
  const address = config.advertise === '' ? `${config.host}:${port}` : config.advertise;
  const id = config.id === '' ? `coordinator-${hostname().replace(/[^\w-]/g, '-')}-${port}` : config.id;
  await state.announce(() => ({
    id,
    role: 'coordinator',
    address,
    softwareVersion: softwareVersion(),
    startedAtMs,
  }));
}

/** The connection looks for its server for ever: that it is closed although nobody drains is the end. */
function failureOf(connection: NatsConnection, draining: AbortSignal): Promise<never> {
  const failed = new Promise<never>((_, reject) => {
    void connection.closed().then((error) => {
      if (!draining.aborted) reject(error instanceof Error ? error : new Error('connection to NATS closed'));
    });
  });
  failed.catch(() => undefined);
  return failed;
}
