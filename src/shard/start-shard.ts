import { KinscanError } from '../core/errors.js';
import type { AppliedNotice, AppliedNotice__Output } from '../generated/kinscan/v1/AppliedNotice.js';
import {
  openClusterState,
  type ClusterRecords,
  type ClusterState,
  type Member,
} from '../runtime/cluster-state.js';
import { systemClock } from '../runtime/clock.js';
import { startGrpcServer, type GrpcServer } from '../runtime/grpc-server.js';
import { DRAIN_TIMEOUT_MS, type RunningRole } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/log.js';
import { MESSAGE_BYTES_MAX_DEFAULT } from '../runtime/message-limits.js';
import { createRegistry, startMetricsServer, type MetricsServer } from '../runtime/metrics-server.js';
import { connectNats, type NatsConnection } from '../runtime/nats.js';
import { messageCodec } from '../runtime/proto.js';
import { softwareVersion } from '../runtime/software-version.js';
import { ensureStreams, STREAM_LIMITS_DEFAULT, SUBJECT } from '../runtime/streams.js';
import type { BlobEvents } from './apply/blob-compactor.js';
import type { ApplyOutcome } from './apply/log-applier.js';
import type { ShardConfig } from './config.js';
import { createShardMetrics, type ShardMetrics } from './shard-metrics.js';
import { ShardReplicas } from './shard-replicas.js';
import { shardServiceHandlers } from './shard-service.js';

export interface RunningShard extends RunningRole {
  /** Of the gRPC server. */
  readonly port: number;
  /** Of /metrics, /livez and /readyz; 0 where there is none. */
  readonly httpPort: number;
  /** Whether it answers searches. */
  isReady(): boolean;
}

/** Ids are part of NATS keys. */
const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
/** One look for settings of the cluster that do not exist yet; they are looked for again and again. */
const SETTINGS_WAIT_MS = 30_000;
/** Limit on each of the last words to NATS, which may be gone already. */
const LAST_WORDS_TIMEOUT_MS = 500;

const appliedNoticeCodec = messageCodec<AppliedNotice, AppliedNotice__Output>('AppliedNotice');

/**
 * Starts a shard server. It listens at once, and serves once the cluster has settings, a model and a placement and its
 * partitions have caught up with the log.
 * @param config its id must be set
 * @throws KinscanError LOG_UNAVAILABLE, INVALID_ARGUMENT (port taken)
 */
export async function startShard(config: ShardConfig, log: Logger): Promise<RunningShard> {
  if (!ID_PATTERN.test(config.id)) {
    throw new KinscanError(
      'INVALID_ARGUMENT',
      'the id of a shard server is 1 to 64 letters, digits, - and _',
    );
  }
  const connection = await connectNats({ servers: config.nats, name: `kinscan shard ${config.id}`, log });
  try {
    const shard = new ShardServer(config, log, connection);
    await shard.listen();
    shard.start();
    return shard;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class ShardServer implements RunningShard {
  readonly failed: Promise<never>;
  readonly #config: ShardConfig;
  readonly #log: Logger;
  readonly #connection: NatsConnection;
  readonly #registry = createRegistry('shard');
  readonly #metrics: ShardMetrics;
  readonly #startedAtMs = Date.now();
  #fail: (error: unknown) => void = () => undefined;
  #server: GrpcServer | undefined;
  #metricsServer: MetricsServer | undefined;
  #cluster: ClusterState | undefined;
  #replicas: ShardReplicas | undefined;
  #opening: Promise<void> | undefined;
  #draining = false;
  /** Aborts when the streams of searches must end: after the others were told that this server leaves. */
  readonly #ending = new AbortController();

  constructor(config: ShardConfig, log: Logger, connection: NatsConnection) {
    this.#config = config;
    this.#log = log;
    this.#connection = connection;
    this.failed = new Promise((_, reject) => (this.#fail = reject));
    this.failed.catch(() => undefined);
    this.#metrics = createShardMetrics(this.#registry, {
      imagesByPartition: () =>
        (this.#replicas?.applier.partitions() ?? []).map((partition) => [
          partition,
          this.#replicas?.applier.imageCount(partition) ?? 0,
        ]),
      deltaRowsByPartition: () =>
        (this.#replicas?.indexStats().partitions ?? []).map(({ partition, deltaRows }) => [
          partition,
          deltaRows,
        ]),
      foreignImages: () => this.#replicas?.applier.foreignImageCount() ?? 0,
      lag: () => this.#replicas?.lag() ?? 0,
      queuedSearches: () => this.#replicas?.indexStats().queuedQueries ?? 0,
      indexBytes: () => this.#replicas?.indexStats().usedBytes ?? 0,
      indexReservedBytes: () =>
        this.#replicas?.indexStats().partitions.reduce((sum, { reservedBytes }) => sum + reservedBytes, 0) ??
        0,
      attributeSets: () => this.#replicas?.applier.attributes.size ?? 0,
      attributeBytes: () => this.#replicas?.applier.attributes.byteLength ?? 0,
      storeMemoryBytes: () => this.#replicas?.storeUsage().memoryBytes ?? 0,
      storeFileBytes: () => this.#replicas?.storeUsage().fileBytes ?? 0,
      isReady: () => this.isReady(),
    });
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  get httpPort(): number {
    return this.#metricsServer?.port ?? 0;
  }

  isReady(): boolean {
    return this.#replicas?.isReady === true && !this.#draining;
  }

  async listen(): Promise<void> {
    const { host, port, httpPort, id } = this.#config;
    this.#server = await startGrpcServer({
      ...{ host, port, log: this.#log, messageBytesMax: MESSAGE_BYTES_MAX_DEFAULT },
      services: {
        Shard: shardServiceHandlers({
          shardServer: id,
          replicas: () => this.#replicas,
          metrics: this.#metrics,
          log: this.#log,
          drainSignal: this.#ending.signal,
        }),
      },
    });
    if (httpPort === 0) return;
    this.#metricsServer = await startMetricsServer({
      ...{ host, port: httpPort, registry: this.#registry },
      isReady: () => this.isReady(),
    });
  }

  start(): void {
    this.#opening = this.#open().catch((error: unknown) => {
      if (!this.#draining) this.#fail(error);
    });
  }

  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#server?.setServing(false);
    await lastWords(this.#cluster?.leave());
    this.#ending.abort();
    await this.#server?.drain(DRAIN_TIMEOUT_MS / 2);
    await this.#replicas?.close();
    await lastWords(this.#connection.flush());
    await this.#connection.close();
    // ends what still waits for settings; a store that was opened meanwhile is closed here
    await this.#opening;
    await this.#replicas?.close();
    await this.#metricsServer?.close();
  }

  /** Waits for the cluster's settings, opens the store, joins the cluster and follows its placements. */
  async #open(): Promise<void> {
    const { streamReplicas } = this.#config;
    const ensureLog = () =>
      ensureStreams(this.#connection, { ...STREAM_LIMITS_DEFAULT, replicas: streamReplicas });
    await ensureLog();
    const cluster = await openClusterState(this.#connection, this.#log, streamReplicas);
    this.#cluster = cluster;
    const { partitionCount } = await this.#waitFor(cluster, 'collection');
    const model = await this.#waitFor(cluster, 'model');
    if (this.#draining) return;
    const replicas = await ShardReplicas.open({
      ...{ config: this.#config, shardServer: this.#config.id, partitionCount, model, ensureLog },
      connection: this.#connection,
      log: this.#log,
      onApplied: (outcome) => this.#onApplied(outcome),
      blobEvents: this.#blobEvents(),
      onAttributesDamaged: (error) => this.#onAttributesDamaged(error),
      onReady: () => this.#onReady(),
      onFailure: (error) => this.#fail(error),
    });
    this.#replicas = replicas;
    if (this.#draining) return;
    await cluster.announce(() => this.#describe());
    await cluster.watch('placement', (placement) => {
      replicas.place(placement).catch((error: unknown) => {
        if (!this.#draining) this.#fail(error);
      });
    });
  }

  async #waitFor<Key extends keyof ClusterRecords>(
    cluster: ClusterState,
    key: Key,
  ): Promise<ClusterRecords[Key]> {
    for (;;) {
      try {
        return await cluster.waitFor(key, SETTINGS_WAIT_MS);
      } catch (error) {
        if (!(error instanceof KinscanError && error.code === 'NOT_READY') || this.#draining) throw error;
        this.#log.info({ key }, 'waiting for the settings of the cluster');
      }
    }
  }

  #describe(): Member {
    const { advertise, host, id } = this.#config;
    const applier = this.#replicas?.applier;
    return {
      id,
      role: 'shard',
      address: advertise === '' ? `${host}:${this.port}` : advertise,
      softwareVersion: softwareVersion(),
      startedAtMs: this.#startedAtMs,
      positions: Object.fromEntries(
        (applier?.partitions() ?? []).map((partition) => [
          partition,
          applier?.board.sequenceOf(partition) ?? 0,
        ]),
      ),
    };
  }

  #onReady(): void {
    if (this.#draining) return;
    this.#server?.setServing(true);
    this.#log.info({ images: this.#replicas?.imageCount() ?? 0 }, 'ready: caught up with the log');
  }

  #onAttributesDamaged({ code, message }: KinscanError): void {
    this.#metrics.corruptAttributes.inc();
    this.#log.warn(
      { code, reason: message },
      'the stored attribute sets are damaged; they are made again from the tie entries of all images',
    );
  }

  #blobEvents(): BlobEvents {
    const { corruptBlobs, compactions, failedCompactions, loadedPartitions } = this.#metrics;
    return {
      onLoaded: (_, source) => loadedPartitions.inc({ source }),
      onDamaged: (partition, error) => {
        corruptBlobs.inc();
        this.#log.warn(
          { partition, code: error.code, reason: error.message },
          'the blobs of a partition are damaged; they are made again from its tie entries',
        );
      },
      onCompacted: (partition, { generation, rows, blocks }) => {
        compactions.inc();
        this.#log.debug(
          { partition, generation, rows, blocks: blocks.length },
          'wrote the blobs of a partition',
        );
      },
      onFailed: (partition, error) => {
        failedCompactions.inc();
        this.#log.error(
          { partition, err: error },
          'the blobs of a partition were not written; tried again later',
        );
      },
    };
  }

  #onApplied(outcome: ApplyOutcome): void {
    this.#metrics.appliedEntries.inc(outcome.appliedCount);
    this.#metrics.staleEntries.inc(outcome.staleCount);
    this.#metrics.corruptEntries.inc(outcome.corruptSequences.length);
    this.#metrics.foreignRecords.inc(outcome.foreignCount);
    const applier = this.#replicas?.applier;
    if (applier === undefined || this.#connection.isClosed()) return;
    const positions = applier
      .partitions()
      .map((partition) => ({ partition, streamSequence: applier.board.sequenceOf(partition) }));
    const notice = { shardServer: this.#config.id, positions };
    this.#connection.publish(SUBJECT.appliedNotice, appliedNoticeCodec.encode(notice));
  }
}

/** What is good to tell NATS before leaving, and no harm if it is not there. */
async function lastWords(said: Promise<void> | undefined): Promise<void> {
  const settled = said?.catch(() => undefined);
  await Promise.race([settled, systemClock.sleep(LAST_WORDS_TIMEOUT_MS)]);
}
