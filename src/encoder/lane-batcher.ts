import { KinscanError } from '../core/errors.js';

/** Queries go before bulk work. */
export type Lane = 'query' | 'bulk';

export interface LaneBatcherOptions<Item, Result> {
  /**
   * Works on one batch; gives one result or one error for each item, in order. What it throws fails the whole batch.
   * @param items 1 to batchLengthMax, all of one lane
   */
  readonly run: (items: readonly Item[], lane: Lane) => Promise<readonly (Result | KinscanError)[]>;
  /** Batches that run at once. */
  readonly concurrency: number;
  readonly batchLengthMax: number;
  /** How long bulk items wait for others while something could run; 0: not at all. Queries never wait. */
  readonly waitMaxMs: number;
  /** Items that may wait, over both lanes; one more is refused with OVERLOADED. */
  readonly queueLengthMax: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  dropped: boolean;
}

/**
 * Turns single items into batches for a few workers.
 *
 *     submit(query) ──▶ [query lane] ──┐  first
 *                                      ├──▶ up to `concurrency` batches ──▶ run()
 *     submit(bulk)  ──▶ [bulk lane] ───┘  then, in shares that keep every worker busy
 *
 * Nothing waits for a batch to fill while a worker is free, except bulk items for at most waitMaxMs: under load the
 * batches grow by themselves, because items gather while all workers are busy.
 */
export class LaneBatcher<Item, Result> {
  readonly #options: LaneBatcherOptions<Item, Result>;
  readonly #lanes: Record<Lane, Waiting<Item, Result>[]> = { query: [], bulk: [] };
  #runningCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #waitIsOver = false;

  constructor(options: LaneBatcherOptions<Item, Result>) {
    this.#options = options;
  }

  /** Items that wait. */
  get waitingCount(): number {
    return this.#lanes.query.length + this.#lanes.bulk.length;
  }

  /**
   * @param signal drops the item where it still waits, and rejects with signal.reason in any case
   * @throws KinscanError OVERLOADED where the queue is full; what run() gave or threw
   */
  submit(item: Item, lane: Lane, signal?: AbortSignal): Promise<Result> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (this.waitingCount >= this.#options.queueLengthMax) {
      return Promise.reject(
        new KinscanError('OVERLOADED', 'the encoder has a full queue', { retryAfterMs: 100 }),
      );
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting<Item, Result> = { item, resolve, reject, dropped: false };
      if (signal !== undefined) forgetOnAbort(waiting, signal);
      this.#lanes[lane].push(waiting);
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#runningCount < this.#options.concurrency) {
      const batch = this.#take('query') ?? this.#takeBulk();
      if (batch === undefined) return;
      void this.#run(batch.items, batch.lane);
    }
  }

  #takeBulk() {
    const { waitMaxMs, batchLengthMax } = this.#options;
    const count = this.#lanes.bulk.length;
    if (count === 0) return undefined;
    if (waitMaxMs > 0 && count < batchLengthMax && !this.#waitIsOver) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#waitIsOver = true;
        this.#pump();
      }, waitMaxMs);
      return undefined;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#take('bulk');
    this.#waitIsOver = false;
    return batch;
  }

  #take(lane: Lane): { items: Waiting<Item, Result>[]; lane: Lane } | undefined {
    const queue = this.#lanes[lane];
    const share = Math.ceil(queue.length / this.#options.concurrency);
    const items = queue
      .splice(0, Math.min(this.#options.batchLengthMax, share))
      .filter(({ dropped }) => !dropped);
    if (items.length > 0) return { items, lane };
    return queue.length > 0 ? this.#take(lane) : undefined;
  }

  async #run(batch: readonly Waiting<Item, Result>[], lane: Lane): Promise<void> {
    this.#runningCount++;
    try {
      const results = await this.#options.run(
        batch.map(({ item }) => item),
        lane,
      );
      batch.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (result instanceof KinscanError) reject(result);
        else resolve(result as Result);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#runningCount--;
      this.#pump();
    }
  }
}

function forgetOnAbort<Item, Result>(waiting: Waiting<Item, Result>, signal: AbortSignal): void {
  signal.addEventListener(
    'abort',
    () => {
      waiting.dropped = true;
      waiting.reject(signal.reason);
    },
    { once: true },
  );
}
