import { setMaxListeners } from 'node:events';
import { KinscanError } from '../core/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { CallOptions } from '../runtime/grpc-client.js';

/** Until when an answer is wanted, carried through everything that is done for it. */
export class Deadline {
  readonly #clock: Clock;
  readonly #endMs: number;
  readonly signal: AbortSignal | undefined;

  constructor(clock: Clock, timeoutMs: number, signal?: AbortSignal) {
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + timeoutMs;
    this.signal = signal;
    // the calls of one request listen together
    if (signal !== undefined) setMaxListeners(0, signal);
  }

  /** Milliseconds left, 0 once it has passed. */
  get leftMs(): number {
    return Math.max(0, this.#endMs - this.#clock.monotonicMs());
  }

  /**
   * For a call to another process.
   * @param share of the time left, 0 to 1: below 1 there is time to go on without the answer
   * @throws KinscanError DEADLINE_EXCEEDED where no time is left
   */
  callOptions(share = 1): CallOptions {
    if (this.leftMs === 0) throw new KinscanError('DEADLINE_EXCEEDED', 'the deadline passed');
    return { timeoutMs: Math.max(1, this.leftMs * share), signal: this.signal };
  }
}
