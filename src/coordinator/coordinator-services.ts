import type { AppliedNotice, AppliedNotice__Output } from '../generated/kinscan/v1/AppliedNotice.js';
import type { EncodedNotice, EncodedNotice__Output } from '../generated/kinscan/v1/EncodedNotice.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/log.js';
import type { Registry } from '../runtime/metrics-server.js';
import type { NatsConnection } from '../runtime/nats.js';
import { messageCodec } from '../runtime/proto.js';
import { INLINE_BYTES_MAX, OBJECT_BUCKET, SUBJECT } from '../runtime/streams.js';
import type { ClusterView } from './cluster-view.js';
import { CodesLog } from './codes-log.js';
import type { CoordinatorConfig } from './config.js';
import { ConnectionWatch } from './connection-watch.js';
import { createCoordinatorMetrics, type CoordinatorMetrics } from './coordinator-metrics.js';
import { DeadLetterStore } from './dead-letter-store.js';
import { DeadLettersService } from './dead-letters-service.js';
import { DeleteService } from './delete-service.js';
import { Encoders } from './encoders.js';
import { FlowLimiter } from './flow-limiter.js';
import { FrameCounter } from './frame-counter.js';
import { ImageObjects } from './image-objects.js';
import { IndexedTracker } from './indexed-tracker.js';
import { NatsIndexingProbe } from './indexing-probe.js';
import { IngestService } from './ingest-service.js';
import { LogTrimmer } from './log-trimmer.js';
import { QueueSweeper } from './queue-sweeper.js';
import { RangeService } from './range-service.js';
import { RecordFetcher } from './record-fetcher.js';
import type { CoordinatorServices } from './rpc-handlers.js';
import { SearchService } from './search-service.js';
import { ShardServers } from './shard-servers.js';
import { StreamReader } from './stream-reader.js';
import { TaskPublisher } from './task-publisher.js';

export interface CoordinatorEnvironment {
  readonly connection: NatsConnection;
  readonly cluster: ClusterView;
  readonly config: CoordinatorConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
  readonly messageBytesMax: number;
  readonly drainSignal: AbortSignal;
}

/** A coordinator's parts, wired. */
export interface CoordinatorParts {
  readonly services: CoordinatorServices;
  readonly shardServers: ShardServers;
  readonly encoders: Encoders;
  readonly tracker: IndexedTracker;
  readonly trimmer: LogTrimmer;
  readonly sweeper: QueueSweeper;
  readonly metrics: CoordinatorMetrics;
  close(): void;
}

const encodedCodec = messageCodec<EncodedNotice, EncodedNotice__Output>('EncodedNotice');
const appliedCodec = messageCodec<AppliedNotice, AppliedNotice__Output>('AppliedNotice');

/** Beside an image of the inline limit a message carries its metadata, and a dead letter its reason. */
const TASK_OVERHEAD_BYTES = 64 * 1024;

export async function buildServices(environment: CoordinatorEnvironment): Promise<CoordinatorParts> {
  const { connection, cluster, config, clock, log, registry, drainSignal } = environment;
  const jetstream = connection.jetstream();
  const manager = await connection.jetstreamManager();
  const shardServers = new ShardServers(cluster);
  const encoders = new Encoders(cluster, environment.messageBytesMax);
  const fetcher = new RecordFetcher(cluster, shardServers);
  const reader = new StreamReader(jetstream, manager);
  const codes = new CodesLog(reader, cluster.partitionCount);
  const retry = { watch: new ConnectionWatch(connection), clock, timeoutMs: config.publishTimeoutMs };
  const objects = new ImageObjects(
    await jetstream.views.os(OBJECT_BUCKET),
    inlineBytesMax(connection),
    retry,
    log,
  );
  const publisher = new TaskPublisher(jetstream, retry);
  const tracker = new IndexedTracker({
    probe: new NatsIndexingProbe(manager, reader, codes, shardServers),
    replicasOf: (partition) => shardServers.liveReplicasOf(partition),
    clock,
    log,
  });
  followNotices(connection, tracker);
  const publishing = new FlowLimiter({
    countMax: config.publishesInFlightMax,
    bytesMax: config.bytesInFlightMax,
  });
  const waiting = new FlowLimiter({ countMax: config.indexedWaitersMax, bytesMax: Infinity });
  const searching = new FlowLimiter({
    countMax: config.searchesInFlightMax,
    bytesMax: config.searchBytesInFlightMax,
  });
  const metrics = createCoordinatorMetrics(registry, {
    publishesInFlight: () => publishing.count,
    publishBytesInFlight: () => publishing.bytes,
    searchesInFlight: () => searching.count,
    indexedWaiters: () => waiting.count,
  });
  const searchOptions = {
    cluster,
    shardServers,
    sources: { encoders, fetcher, imageBytesMax: config.imageBytesMax },
    limiter: searching,
    clock,
    metrics,
  };
  const search = new SearchService(searchOptions);
  const services: CoordinatorServices = {
    ingest: new IngestService({
      publisher,
      objects,
      tracker,
      frameCounter: new FrameCounter(fetcher, clock),
      publishing,
      waiting,
      clock,
      log,
      metrics,
      imageBytesMax: config.imageBytesMax,
      inlineBytesMax: inlineBytesMax(connection),
      streamsMax: config.ingestStreamsMax,
      indexedTimeoutMs: config.indexedTimeoutMs,
      drainSignal,
    }),
    search,
    range: new RangeService({ ...searchOptions, streamsMax: config.rangeStreamsMax, drainSignal }),
    deletion: new DeleteService({ publisher, publishing, tracker, fetcher, clock }),
    deadLetters: new DeadLettersService(new DeadLetterStore(manager, reader, objects), publisher),
    fetcher,
    status: { cluster, shardServers, codes, manager },
    searchStream: {
      service: search,
      searchesPerStreamMax: config.searchesPerStreamMax,
      searchBytesInFlightMax: config.searchBytesInFlightMax,
      drainSignal,
      log,
    },
    clock,
    drainSignal,
    log,
  };
  const { codesKeepPerPartition } = config;
  const trimmer = new LogTrimmer({ cluster, streams: manager.streams, codesKeepPerPartition, log });
  const close = () => {
    shardServers.close();
    encoders.close();
  };
  const sweeper = new QueueSweeper({ manager, log });
  return { services, shardServers, encoders, tracker, trimmer, sweeper, metrics, close };
}

/** Below the common limit where a nats-server takes smaller messages (1 MiB unless configured). */
function inlineBytesMax(connection: NatsConnection): number {
  const payloadBytesMax = connection.info?.max_payload ?? Infinity;
  return Math.min(INLINE_BYTES_MAX, payloadBytesMax - TASK_OVERHEAD_BYTES);
}

/** While nobody waits for the index, notices are not worth decoding. */
function followNotices(connection: NatsConnection, tracker: IndexedTracker): void {
  connection.subscribe(SUBJECT.encodedNotice, {
    callback: (error, message) => {
      if (error === null && tracker.isWaiting) tracker.encoded(encodedCodec.decode(message.data));
    },
  });
  connection.subscribe(SUBJECT.appliedNotice, {
    callback: (error, message) => {
      if (error === null && tracker.isWaiting) tracker.applied(appliedCodec.decode(message.data));
    },
  });
}
