import { KinscanError } from '../core/errors.js';
import { backoffDelayMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import type { ConnectionWatch } from './connection-watch.js';
import { isNoRoom } from './nats-faults.js';

const BACKOFF = { firstDelayMs: 50, delayMaxMs: 2_000 };
const RETRY_HINT_MS = 1_000;
const STORAGE_FULL_RETRY_HINT_MS = 5_000;
export interface NatsRetryOptions {
  readonly watch: ConnectionWatch;
  readonly clock: Clock;
  /** Limit on all attempts together. */
  readonly timeoutMs: number;
  /** Limit on one attempt; a lost connection ends it at once. @default timeoutMs */
  readonly attemptTimeoutMs?: number;
}

/**
 * Stores something in NATS, trying again while NATS is away.
 * @param attempt is given its own limit in milliseconds; repeating it must do no harm
 * @throws KinscanError LOG_UNAVAILABLE after the limit, STORAGE_FULL at once, both with a hint when to try again
 */
export async function storeWithRetries<Result>(
  attempt: (timeoutMs: number) => Promise<Result>,
  { watch, clock, timeoutMs, attemptTimeoutMs = timeoutMs }: NatsRetryOptions,
): Promise<Result> {
  const endMs = clock.monotonicMs() + timeoutMs;
  for (let count = 0; ; count++) {
    const leftMs = endMs - clock.monotonicMs();
    try {
      return await unlessDisconnected(attempt(Math.max(1, Math.min(attemptTimeoutMs, leftMs))), watch);
    } catch (cause) {
      if (isNoRoom(cause)) {
        const options = { cause, retryAfterMs: STORAGE_FULL_RETRY_HINT_MS };
        throw new KinscanError('STORAGE_FULL', 'the queue of images is full', options);
      }
      const delayMs = backoffDelayMs(count, BACKOFF);
      if (clock.monotonicMs() + delayMs >= endMs) {
        const options = { cause, retryAfterMs: RETRY_HINT_MS };
        throw new KinscanError('LOG_UNAVAILABLE', 'NATS did not store the image in time', options);
      }
      await clock.sleep(delayMs);
      await watch.untilConnected(Math.max(0, endMs - clock.monotonicMs()));
    }
  }
}

/** What was sent over a lost connection is never answered: do not wait for its time-out. */
function unlessDisconnected<Result>(work: Promise<Result>, watch: ConnectionWatch): Promise<Result> {
  return new Promise((resolve, reject) => {
    const forget = watch.onceDisconnected(() => reject(new Error('connection to NATS lost')));
    void work.then(resolve, reject).finally(forget);
  });
}
