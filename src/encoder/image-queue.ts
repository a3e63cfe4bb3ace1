import { AssertionError, KinscanError } from '../core/errors.js';
import { backoffDelayMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/log.js';
import type { Consumer, ConsumerMessages, JsMsg } from '../runtime/nats.js';
import type { InFlightBudget } from './in-flight-budget.js';

/** How long one request for entries stands; a lost one (a NATS restart) costs at most this. */
const PULL_EXPIRES_MS = 5_000;
const PULL_BACKOFF = { firstDelayMs: 250, delayMaxMs: 5_000 } as const;
/** Pause before an entry that failed comes again. */
const REDELIVERY_BACKOFF = { firstDelayMs: 1_000, delayMaxMs: 60_000 } as const;

/** One entry of the IMAGES work queue, as delivered. */
export interface QueueEntry {
  readonly data: Uint8Array;
  /** Its sequence in the stream. */
  readonly revision: number;
  /** 1 the first time. */
  readonly deliveries: number;
}

/** What is to be done once the queue has forgotten an entry. */
export type AfterAck = () => Promise<void>;

export interface ImageQueueOptions {
  readonly consumer: Consumer;
  /** The consumer's own, in milliseconds: an entry without a sign of life for so long is delivered again. */
  readonly ackWaitMs: number;
  readonly budget: InFlightBudget;
  /** Resolves when the entry is dealt with for good; what it throws sends the entry back to the queue. */
  readonly handle: (entry: QueueEntry) => Promise<AfterAck | undefined>;
  readonly onRetry: (error: KinscanError) => void;
  /** A failed assertion of ours. */
  readonly onBug: (error: Error) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Held {
  readonly message: JsMsg;
  lifeSignAtMs: number;
}

/**
 * Pulls entries as far as the budget allows and settles each with the queue.
 *
 *     IMAGES ──pull──▶ held ──handle──▶ ack            dealt with
 *                       │  └──throws──▶ nak (delay)    comes again
 *                       └── every third of ackWaitMs: still at work
 *
 * An ack that gets lost means one more delivery, and that is harmless: records carry their revision. So acks are not
 * waited for, except where something depends on them (AfterAck).
 */
export class ImageQueue {
  readonly #options: ImageQueueOptions;
  readonly #held = new Map<number, Held>();
  readonly #stop = new AbortController();
  readonly #idleWaiters: (() => void)[] = [];
  #pull: ConsumerMessages | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #pulling: Promise<void> | undefined;

  constructor(options: ImageQueueOptions) {
    this.#options = options;
  }

  start(): void {
    const everyMs = Math.max(50, this.#options.ackWaitMs / 3);
    this.#heartbeat = setInterval(() => this.#sendLifeSigns(everyMs), everyMs);
    this.#pulling = this.#pullLoop();
  }

  /** Asks for no more; resolves when all that is held is settled. May be called again. */
  async drain(): Promise<void> {
    this.#stop.abort();
    await this.#pull?.close();
    await this.#pulling;
    if (this.#held.size > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    clearInterval(this.#heartbeat);
  }

  /** A request ends by itself (full, expired, connection lost), so the loop needs no other supervision. */
  async #pullLoop(): Promise<void> {
    const { budget, consumer, clock, log } = this.#options;
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted;) {
      await budget.waitForCredit(signal);
      if (signal.aborted) return;
      try {
        this.#pull = await consumer.fetch({ max_messages: budget.entryCredit(), expires: PULL_EXPIRES_MS });
        if (stopped(signal)) await this.#pull.close();
        for await (const message of this.#pull) void this.#settle(message);
        failures = 0;
      } catch (error) {
        log.warn({ err: error }, 'pulling images failed; trying again');
        await clock.sleep(backoffDelayMs(failures++, PULL_BACKOFF), signal);
      }
    }
  }

  async #settle(message: JsMsg): Promise<void> {
    const { budget, handle, clock, onRetry, onBug } = this.#options;
    const { data, seq: revision } = message;
    const held = { message, lifeSignAtMs: clock.monotonicMs() };
    if (this.#held.has(revision)) {
      // delivered again while still at work (a life sign got lost): the first copy settles it
      return;
    }
    this.#held.set(revision, held);
    budget.addEntry(data.length);
    try {
      const deliveries = message.info.deliveryCount;
      const afterAck = await handle({ data, revision, deliveries });
      if (afterAck === undefined) message.ack();
      else if (await message.ackAck()) await afterAck();
    } catch (thrown) {
      if (thrown instanceof AssertionError) onBug(thrown);
      this.#giveBack(message, thrown, onRetry);
    } finally {
      this.#held.delete(revision);
      budget.removeEntry(data.length);
      if (this.#held.size === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
    }
  }

  #giveBack(message: JsMsg, thrown: unknown, onRetry: (error: KinscanError) => void): void {
    const error =
      thrown instanceof KinscanError
        ? thrown
        : new KinscanError('INTERNAL', 'internal error', { cause: thrown });
    // on the way out another node may have it at once
    const isLeaving = error.code === 'DRAINING';
    if (!isLeaving) onRetry(error);
    const delayMs = isLeaving ? 0 : backoffDelayMs(message.info.deliveryCount - 1, REDELIVERY_BACKOFF);
    try {
      message.nak(Math.ceil(delayMs));
    } catch (error_) {
      this.#options.log.debug({ err: error_ }, 'an entry could not be given back; it comes again by itself');
    }
  }

  #sendLifeSigns(everyMs: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const held of this.#held.values()) {
      if (nowMs - held.lifeSignAtMs < everyMs) continue;
      held.lifeSignAtMs = nowMs;
      try {
        held.message.working();
      } catch (error) {
        this.#options.log.debug({ err: error }, 'a life sign could not be sent');
      }
    }
  }
}

/** For the compiler, which takes a signal that was not aborted for one that never will be. */
function stopped(signal: AbortSignal): boolean {
  return signal.aborted;
}
