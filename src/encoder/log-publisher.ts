import { setMaxListeners } from 'node:events';
import { KinscanError } from '../core/errors.js';
import { backoffDelayMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/log.js';
import type { JetStreamClient } from '../runtime/nats.js';
import type { EncoderMetrics } from './encoder-metrics.js';
import { Semaphore } from './semaphore.js';

/** Publishes that wait for their acknowledgement at once; more only lengthen the server's queue. */
const PUBLISHES_IN_FLIGHT_MAX = 1_024;
const RETRY_BACKOFF = { firstDelayMs: 100, delayMaxMs: 5_000 } as const;
/** JetStream error codes that say there is no room (nats-server, server/errors.json). */
const FULL_ERROR_CODES = new Set([10_023, 10_047, 10_077]);

export interface LogMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** The same on every attempt, so that JetStream stores one. */
  readonly messageId: string;
}

export interface LogPublisherOptions {
  readonly jetstream: JetStreamClient;
  readonly timeoutMs: number;
  /** How long failures are retried; a full stream is waited for without end. */
  readonly retryMaxMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: EncoderMetrics;
}

/** Publishes to JetStream streams and waits until each message is stored. */
export class LogPublisher {
  readonly #options: LogPublisherOptions;
  readonly #semaphore = new Semaphore(PUBLISHES_IN_FLIGHT_MAX);
  readonly #stop = new AbortController();
  #isFailing = false;

  constructor(options: LogPublisherOptions) {
    this.#options = options;
    // every publish that waits for its next attempt listens
    setMaxListeners(PUBLISHES_IN_FLIGHT_MAX, this.#stop.signal);
  }

  /** Ends all retrying: what is not stored by its present attempt fails with DRAINING. */
  stopRetrying(): void {
    this.#stop.abort();
  }

  /**
   * @returns the message's sequence in its stream, the first one's where it was stored before
   * @throws KinscanError LOG_UNAVAILABLE, DRAINING
   */
  publish(message: LogMessage): Promise<number> {
    return this.#semaphore.hold(() => this.#publishWithRetries(message));
  }

  async #publishWithRetries(message: LogMessage): Promise<number> {
    const { jetstream, timeoutMs, retryMaxMs, clock, metrics } = this.#options;
    const startedMs = clock.monotonicMs();
    for (let attempt = 0; ; attempt++) {
      try {
        const { seq } = await jetstream.publish(message.subject, message.data, {
          msgID: message.messageId,
          timeout: timeoutMs,
        });
        this.#isFailing = false;
        return seq;
      } catch (error) {
        this.#noteFailure(error);
        if (this.#stop.signal.aborted) throw new KinscanError('DRAINING', 'draining', { cause: error });
        if (!isFull(error) && clock.monotonicMs() - startedMs > retryMaxMs) {
          throw new KinscanError('LOG_UNAVAILABLE', 'the log did not store a message in time', {
            cause: error,
          });
        }
        metrics.publishRetries.inc();
        await clock.sleep(backoffDelayMs(attempt, RETRY_BACKOFF), this.#stop.signal);
      }
    }
  }

  /** One line when failures begin, not one for each of a thousand messages. */
  #noteFailure(error: unknown): void {
    const message = isFull(error) ? 'the log is full; waiting' : 'the log does not store messages; retrying';
    if (this.#isFailing) this.#options.log.debug({ err: error }, message);
    else this.#options.log.warn({ err: error }, message);
    this.#isFailing = true;
  }
}

function isFull(error: unknown): boolean {
  if (!(error instanceof Error) || !('api_error' in error)) return false;
  const { err_code: code } = (error.api_error ?? {}) as { err_code?: number };
  return code !== undefined && FULL_ERROR_CODES.has(code);
}
