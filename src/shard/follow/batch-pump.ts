import type { Clock } from '../../runtime/clock.js';

export interface BatchPumpOptions<Entry> {
  /** Entries handed over at once. */
  readonly batchLengthMax: number;
  /** Time that the first entry of a batch waits for more, while there are fewer. */
  readonly batchDelayMs: number;
  readonly clock: Clock;
  /** Never called twice at once. What it throws ends the pump and comes out of push(). */
  readonly handle: (batch: readonly Entry[]) => Promise<void>;
}

/**
 * Gathers entries into batches while the batch before is being handled.
 *
 *     push ─▶ [ queue, at most 2 batches ] ─▶ handle(batch), one at a time
 */
export class BatchPump<Entry> {
  readonly #options: BatchPumpOptions<Entry>;
  #queue: Entry[] = [];
  #running: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #wakeFull: (() => void) | undefined;
  #wakeRoom: (() => void) | undefined;

  constructor(options: BatchPumpOptions<Entry>) {
    this.#options = options;
  }

  get length(): number {
    return this.#queue.length;
  }

  /** Takes one entry; waits while the queue is full. One caller at a time. */
  async push(entry: Entry): Promise<void> {
    this.#throwFailure();
    this.#queue.push(entry);
    this.#running ??= this.#run();
    const { batchLengthMax } = this.#options;
    if (this.#queue.length >= batchLengthMax) this.#wakeFull?.();
    while (this.#queue.length >= 2 * batchLengthMax && this.#running !== undefined) {
      await new Promise<void>((resolve) => (this.#wakeRoom = resolve));
    }
    this.#throwFailure();
  }

  /** Forgets what waits, and waits for the batch that is being handled. */
  async discard(): Promise<void> {
    this.#queue = [];
    this.#wakeFull?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        await this.#gather();
        const batch = this.#queue.splice(0, this.#options.batchLengthMax);
        this.#wakeRoom?.();
        if (batch.length > 0) await this.#options.handle(batch);
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#running = undefined;
      this.#wakeRoom?.();
    }
  }

  async #gather(): Promise<void> {
    const { batchLengthMax, batchDelayMs, clock } = this.#options;
    if (this.#queue.length >= batchLengthMax || batchDelayMs === 0) return;
    const full = new AbortController();
    this.#wakeFull = () => full.abort();
    await clock.sleep(batchDelayMs, full.signal);
    this.#wakeFull = undefined;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
