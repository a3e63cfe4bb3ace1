import { randomUUID } from 'node:crypto';
import type { ImageTask, ImageTask__Output } from '../generated/kinscan/v1/ImageTask.js';
import type { JetStreamClient } from '../runtime/nats.js';
import { messageCodec } from '../runtime/proto.js';
import { SUBJECT } from '../runtime/streams.js';
import { storeWithRetries, type NatsRetryOptions } from './nats-retry.js';

const taskCodec = messageCodec<ImageTask, ImageTask__Output>('ImageTask');

const ATTEMPT_TIMEOUT_MS = 5_000;

/** Stores tasks in the IMAGES log. */
export class TaskPublisher {
  readonly #jetstream: JetStreamClient;
  readonly #retry: NatsRetryOptions;

  constructor(jetstream: JetStreamClient, retry: NatsRetryOptions) {
    this.#jetstream = jetstream;
    this.#retry = { attemptTimeoutMs: ATTEMPT_TIMEOUT_MS, ...retry };
  }

  /**
   * Resolves when the log has stored the task (synced, with `sync_interval: always`).
   *
   * Retries keep the message id, so that an attempt whose acknowledgement was lost is not stored twice (JetStream drops
   * the repetition within its window of two minutes). Each task has an id of its own: one made from the content would
   * drop an image that comes back after a delete or another content (A, B, A).
   * @param messageId for a task that somebody may repeat
   * @returns the task's revision
   * @throws KinscanError LOG_UNAVAILABLE, STORAGE_FULL
   */
  async publish(task: ImageTask, messageId: string = randomUUID()): Promise<number> {
    const bytes = taskCodec.encode(task);
    const attempt = (timeout: number) =>
      this.#jetstream.publish(SUBJECT.images, bytes, { msgID: messageId, timeout });
    return (await storeWithRetries(attempt, this.#retry)).seq;
  }
}
