import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/log.js';
import type { NatsConnection } from '../runtime/nats.js';
import { ENCODER_CONSUMER, INLINE_BYTES_MAX, STREAM } from '../runtime/streams.js';
import type { EncoderConfig } from './config.js';
import type { Decoder } from './decoder.js';
import type { EncoderMetrics } from './encoder-metrics.js';
import { FrameEncoder } from './frame-encoder.js';
import { ImageQueue } from './image-queue.js';
import { InFlightBudget } from './in-flight-budget.js';
import type { Inference } from './inference.js';
import { LogPublisher } from './log-publisher.js';
import { openObjectFiles } from './object-files.js';
import type { SuspectDecoder } from './suspect-decoder.js';
import { TaskProcessor } from './task-processor.js';

/** Bytes of a queue entry beside the file that it carries, at most. */
export const ENTRY_OVERHEAD_BYTES_MAX = 16 * 1024;
/** Most of runRole's limit on a drain; what is not done by then goes back to the queue. */
const FINISH_TIMEOUT_MS = 7_000;

export interface IngestPipelineOptions {
  readonly config: EncoderConfig;
  readonly connection: NatsConnection;
  readonly decoder: Decoder;
  readonly suspectDecoder: SuspectDecoder;
  readonly inference: Inference;
  readonly partitionCount: number;
  readonly clock: Clock;
  readonly metrics: EncoderMetrics;
  readonly log: Logger;
}

export interface IngestPipeline {
  readonly budget: InFlightBudget;
  /** Rejects on a failed assertion of ours. */
  readonly failed: Promise<never>;
  start(): void;
  /** Takes no more; finishes what it holds, or gives it back to the queue when time is up. */
  drain(): Promise<void>;
}

/** The way of an image through this node: queue, decoder, network, log. */
export async function openIngestPipeline(options: IngestPipelineOptions): Promise<IngestPipeline> {
  const { config, connection, clock, metrics, log } = options;
  const budget = new InFlightBudget({
    imagesMax: config.imagesInFlightMax,
    bytesMax: config.bytesInFlightMax,
    entryBytesMax: INLINE_BYTES_MAX + ENTRY_OVERHEAD_BYTES_MAX,
  });
  const publisher = new LogPublisher({
    jetstream: connection.jetstream(),
    timeoutMs: config.publishTimeoutMs,
    retryMaxMs: config.publishRetryMaxMs,
    clock,
    log,
    metrics,
  });
  const processor = await openProcessor(options, publisher, budget);
  const consumer = await connection.jetstream().consumers.get(STREAM.images, ENCODER_CONSUMER);
  const { ack_wait: ackWaitNanos = 0 } = (await consumer.info(true)).config;
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => undefined);
  const queue = new ImageQueue({
    consumer,
    ackWaitMs: ackWaitNanos / 1e6,
    budget,
    handle: (entry) => processor.process(entry),
    onRetry: (error) => {
      metrics.retried.inc();
      log.warn({ code: error.code, err: error.cause ?? error }, 'an image goes back to the queue');
    },
    onBug: fail,
    clock,
    log,
  });
  const drain = async (): Promise<void> => {
    const limit = setTimeout(() => publisher.stopRetrying(), FINISH_TIMEOUT_MS);
    await queue.drain();
    clearTimeout(limit);
  };
  return { budget, failed, start: () => queue.start(), drain };
}

async function openProcessor(
  options: IngestPipelineOptions,
  publisher: LogPublisher,
  budget: InFlightBudget,
): Promise<TaskProcessor> {
  const { config, connection, decoder, suspectDecoder, inference, partitionCount, clock, metrics, log } =
    options;
  const manager = await connection.jetstreamManager();
  return new TaskProcessor({
    frames: new FrameEncoder(decoder, suspectDecoder, inference),
    publisher,
    objects: await openObjectFiles(connection, config.imageBytesMax),
    budget,
    connection,
    isQueued: (revision) =>
      manager.streams.getMessage(STREAM.images, { seq: revision }).then(() => true, falseWhereMissing),
    modelVersion: inference.engine.modelVersion,
    partitionCount,
    attemptsMax: config.attemptsMax,
    clock,
    metrics,
    log,
  });
}

/** @throws the error, where it is any other than "no message found" */
function falseWhereMissing(error: unknown): false {
  const { api_error: apiError } = error as { api_error?: { code?: number } };
  if (apiError?.code === 404) return false;
  throw error;
}
