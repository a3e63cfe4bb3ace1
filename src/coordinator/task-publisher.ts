import { randomUUID } from 'node:crypto';
import { KinscanError } from '../core/errors.js';
import type { ImageTask, ImageTask__Output } from '../generated/kinscan/v1/ImageTask.js';
import { backoffDelayMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import type { JetStreamClient } from '../runtime/nats.js';
import { messageCodec } from '../runtime/proto.js';
import { SUBJECT } from '../runtime/streams.js';
import type { ConnectionWatch } from './connection-watch.js';
import { isNoRoom } from './nats-faults.js';

const taskCodec = messageCodec<ImageTask, ImageTask__Output>('ImageTask');

/** Limit on one attempt; a lost connection ends it at once. */
const ATTEMPT_TIMEOUT_MS = 5_000;
const BACKOFF = { firstDelayMs: 50, delayMaxMs: 2_000 };
const RETRY_HINT_MS = 1_000;
const STORAGE_FULL_RETRY_HINT_MS = 5_000;

export interface TaskPublisherOptions {
  readonly jetstream: JetStreamClient;
  readonly watch: ConnectionWatch;
  readonly clock: Clock;
  /** Limit on one task, retries included. */
  readonly publishTimeoutMs: number;
}

/** Stores tasks in the IMAGES log. */
export class TaskPublisher {
  readonly #options: TaskPublisherOptions;

  constructor(options: TaskPublisherOptions) {
    this.#options = options;
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
    const { clock, publishTimeoutMs, watch } = this.#options;
    const bytes = taskCodec.encode(task);
    const endMs = clock.monotonicMs() + publishTimeoutMs;
    for (let attempt = 0; ; attempt++) {
      const leftMs = endMs - clock.monotonicMs();
      try {
        return await this.#attempt(bytes, messageId, Math.max(1, Math.min(ATTEMPT_TIMEOUT_MS, leftMs)));
      } catch (cause) {
        if (isNoRoom(cause)) {
          throw new KinscanError('STORAGE_FULL', 'the queue of images is full', {
            cause,
            retryAfterMs: STORAGE_FULL_RETRY_HINT_MS,
          });
        }
        const delayMs = backoffDelayMs(attempt, BACKOFF);
        if (clock.monotonicMs() + delayMs >= endMs) {
          const options = { cause, retryAfterMs: RETRY_HINT_MS };
          throw new KinscanError('LOG_UNAVAILABLE', 'NATS did not store the task in time', options);
        }
        await clock.sleep(delayMs);
        await watch.untilConnected(Math.max(0, endMs - clock.monotonicMs()));
      }
    }
  }

  #attempt(bytes: Uint8Array, messageId: string, timeoutMs: number): Promise<number> {
    const { jetstream, watch } = this.#options;
    return new Promise((resolve, reject) => {
      // what was sent over a lost connection is never answered: do not wait for its time-out
      const forget = watch.onceDisconnected(() => reject(new Error('connection to NATS lost')));
      jetstream.publish(SUBJECT.images, bytes, { msgID: messageId, timeout: timeoutMs }).then(
        ({ seq }) => {
          forget();
          resolve(seq);
        },
        (error: unknown) => {
          forget();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }
}
