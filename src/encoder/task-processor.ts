import { KinscanError } from '../core/errors.js';
import { validateImageId } from '../core/image-id.js';
import type { EncodedNotice, EncodedNotice__Output } from '../generated/kinscan/v1/EncodedNotice.js';
import type { IngestTask, IngestTask__Output } from '../generated/kinscan/v1/IngestTask.js';
import type { PartitionPosition } from '../generated/kinscan/v1/PartitionPosition.js';
import type { ImageTask__Output } from '../generated/kinscan/v1/ImageTask.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/log.js';
import type { NatsConnection } from '../runtime/nats.js';
import { messageCodec } from '../runtime/proto.js';
import { SUBJECT } from '../runtime/streams.js';
import { deadLetterMessage, errorDetailOf, isPermanent } from './dead-letter.js';
import type { EncoderMetrics } from './encoder-metrics.js';
import type { FrameEncoder } from './frame-encoder.js';
import type { AfterAck, QueueEntry } from './image-queue.js';
import { imageTaskCodec, removalMessage, type CodesMessage } from './image-record.js';
import type { InFlightBudget } from './in-flight-budget.js';
import type { LogPublisher } from './log-publisher.js';
import type { ObjectFiles } from './object-files.js';

const noticeCodec = messageCodec<EncodedNotice, EncodedNotice__Output>('EncodedNotice');

/** From this delivery on an image is decoded apart from the others: twice it was here and came to no end. */
const SUSPECT_DELIVERIES = 3;

export interface TaskProcessorOptions {
  readonly frames: FrameEncoder;
  readonly publisher: LogPublisher;
  readonly objects: ObjectFiles;
  readonly budget: InFlightBudget;
  readonly connection: NatsConnection;
  /** Whether the queue still holds an entry. */
  readonly isQueued: (revision: number) => Promise<boolean>;
  readonly modelVersion: string;
  readonly partitionCount: number;
  readonly attemptsMax: number;
  readonly clock: Clock;
  readonly metrics: EncoderMetrics;
  readonly log: Logger;
}

/**
 * What becomes of one entry of the IMAGES queue: records or a removal in the CODES log, or a dead letter. Everything is
 * stored before it resolves, so that the entry may then be forgotten.
 */
export class TaskProcessor {
  readonly #options: TaskProcessorOptions;

  constructor(options: TaskProcessorOptions) {
    this.#options = options;
  }

  /** @throws KinscanError where the entry should be delivered again */
  async process(entry: QueueEntry): Promise<AfterAck | undefined> {
    const task = decodeTask(entry.data);
    if (task?.delete) return this.#delete(entry, task.delete.imageId);
    if (task?.ingest) return this.#ingest(entry, task.ingest);
    const reason = new KinscanError('CORRUPT_RECORD', 'the queue entry is not an image task');
    return this.#bury(entry, { content: entry.data, contentBytes: entry.data.length }, reason);
  }

  async #ingest(entry: QueueEntry, task: IngestTask__Output): Promise<AfterAck | undefined> {
    try {
      // it may have killed this process the last time: do not touch it
      if (entry.deliveries > this.#options.attemptsMax) {
        throw new KinscanError('TOO_MANY_ATTEMPTS', `delivered ${entry.deliveries} times without success`);
      }
      validateImageId(task.imageId);
      const { objectName } = task;
      if (task.source !== 'objectName' || objectName === undefined) {
        await this.#index(entry, task, task.content ?? new Uint8Array(0));
        return undefined;
      }
      return await this.#ingestObject(entry, task, objectName);
    } catch (error) {
      if (!(error instanceof KinscanError) || !isPermanent(error)) throw error;
      return this.#bury(entry, task, error);
    }
  }

  async #ingestObject(
    entry: QueueEntry,
    task: IngestTask__Output,
    name: string,
  ): Promise<AfterAck | undefined> {
    const { budget, objects, isQueued } = this.#options;
    return budget.holdFile(task.contentBytes, async () => {
      const bytes = await objects.read(name);
      if (bytes === undefined) {
        // delivered twice, and the other encoder was quicker: it has deleted the file after its ack
        if (entry.deliveries > 1 && !(await isQueued(entry.revision))) return undefined;
        throw new KinscanError('CORRUPT_RECORD', 'the file is not in the object store');
      }
      await this.#index(entry, task, bytes);
      return () => objects.delete(name);
    });
  }

  async #index(entry: QueueEntry, task: IngestTask__Output, bytes: Uint8Array): Promise<void> {
    const { frames, metrics, modelVersion, partitionCount } = this.#options;
    const { revision } = entry;
    const source = { task, revision, modelVersion, partitionCount };
    const messages = await frames.encodeFile(bytes, source, entry.deliveries >= SUSPECT_DELIVERIES);
    // an instance may have had more frames before: they go first
    const removals = messages.length > 1 ? [removalMessage(task.imageId, revision, partitionCount)] : [];
    const endTimer = metrics.publishSeconds.startTimer();
    const positions = await this.#publish([...removals, ...messages]);
    endTimer();
    metrics.imagesEncoded.inc(messages.length);
    this.#notify({ revision, positions, images: messages.length });
  }

  async #delete(entry: QueueEntry, imageId: string): Promise<undefined> {
    const { revision } = entry;
    const positions = await this.#publish([removalMessage(imageId, revision, this.#options.partitionCount)]);
    this.#notify({ revision, positions, images: 0 });
  }

  async #bury(entry: QueueEntry, task: IngestTask, reason: KinscanError): Promise<undefined> {
    const { publisher, metrics, clock, log } = this.#options;
    const { revision, deliveries } = entry;
    await publisher.publish(
      deadLetterMessage({ task, revision, reason, failedAtMs: clock.nowMs(), deliveries }),
    );
    metrics.deadLetters.inc({ code: reason.code });
    log.info({ revision, code: reason.code, deliveries }, 'dead letter');
    this.#notify({ revision, rejected: errorDetailOf(reason), images: 0 });
  }

  /** @returns the last position in each partition that the messages concern */
  async #publish(messages: readonly CodesMessage[]): Promise<PartitionPosition[]> {
    const { publisher, partitionCount } = this.#options;
    const lastOf = new Map<number, number>();
    await Promise.all(
      messages.map(async (message) => {
        const sequence = await publisher.publish(message);
        const partitions =
          message.partition === undefined
            ? Array.from({ length: partitionCount }, (_, p) => p)
            : [message.partition];
        for (const partition of partitions)
          lastOf.set(partition, Math.max(sequence, lastOf.get(partition) ?? 0));
      }),
    );
    return [...lastOf].map(([partition, streamSequence]) => ({ partition, streamSequence }));
  }

  /** At most once: a coordinator that misses it asks the shard servers. */
  #notify(notice: EncodedNotice): void {
    try {
      this.#options.connection.publish(SUBJECT.encodedNotice, noticeCodec.encode(notice));
    } catch (error) {
      this.#options.log.debug({ err: error }, 'a notice could not be sent');
    }
  }
}

function decodeTask(bytes: Uint8Array): ImageTask__Output | undefined {
  try {
    return imageTaskCodec.decode(bytes);
  } catch {
    return undefined;
  }
}
