import { fileURLToPath } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { KinscanError } from '../core/errors.js';

/** What a worker is given at its start: `workerPoolData()` inside the worker. */
export type WorkerPoolData = unknown;

export interface WorkerPoolOptions {
  /** The worker's compiled file (dist/…/x-worker.js); its default export is called once per task. */
  readonly file: URL;
  /** Worker threads, 1 to 256. */
  readonly threads: number;
  /** Tasks that may wait for a thread; one more is refused with OVERLOADED. 0: nothing waits. */
  readonly queueLengthMax: number;
  /** Structured-cloned to every worker. */
  readonly workerData?: WorkerPoolData;
  /**
   * Threads end after this idle time and start again with the next task, in milliseconds.
   * @default never: all threads start at once and stay
   */
  readonly idleTimeoutMs?: number;
  /** Milliseconds that an OVERLOADED answer tells the caller to wait. @default 50 */
  readonly retryAfterMs?: number;
}

export interface RunOptions {
  /**
   * Aborted while the task waits: it is dropped and never runs. Aborted while it runs: the promise rejects at once and
   * the result is thrown away, the thread goes on (ending it would cost more than the task). Rejects with signal.reason.
   */
  readonly signal?: AbortSignal;
  /** Tasks of a higher priority run first; equal ones in order of arrival. 'query' goes before 'bulk'. @default 'bulk' */
  readonly priority?: 'query' | 'bulk';
  /** Objects moved to the worker instead of copied. */
  readonly transfer?: readonly (ArrayBuffer | MessagePort)[];
}

interface Waiting<Task, Result> {
  readonly task: Task;
  readonly transfer: readonly (ArrayBuffer | MessagePort)[];
  readonly settle: { resolve: (result: Result) => void; reject: (reason: Error) => void };
  dropped: boolean;
}

/**
 * A bounded pool of worker threads over Piscina, the only file that imports it.
 *
 *   run() ──▶ [query queue]─┐
 *                           ├─▶ at most `threads` tasks inside Piscina ──▶ result
 *   run() ──▶ [bulk queue] ─┘
 *
 * The waiting line is kept here and not in Piscina, because a waiting task must be cheap to drop and to overtake.
 * Invariant: `waitingCount` is the number of entries of both queues that are not dropped, at most queueLengthMax.
 */
export class WorkerPool<Task, Result> {
  readonly #piscina: Piscina<Task, Result>;
  readonly #options: WorkerPoolOptions;
  readonly #queues: Record<'query' | 'bulk', Waiting<Task, Result>[]> = { query: [], bulk: [] };
  readonly #idleWaiters: (() => void)[] = [];
  #waitingCount = 0;
  #runningCount = 0;
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#piscina = new Piscina<Task, Result>({
      filename: fileURLToPath(options.file),
      minThreads: options.idleTimeoutMs === undefined ? options.threads : 0,
      maxThreads: options.threads,
      idleTimeout: options.idleTimeoutMs ?? 0,
      concurrentTasksPerWorker: 1,
      workerData: options.workerData,
      recordTiming: false,
    });
  }

  get threads(): number {
    return this.#options.threads;
  }

  /** Tasks that wait for a thread. */
  get waitingCount(): number {
    return this.#waitingCount;
  }

  get runningCount(): number {
    return this.#runningCount;
  }

  /**
   * Runs a task on a free thread, or lets it wait for one.
   * @throws KinscanError OVERLOADED where the queue is full, DRAINING after close(); signal.reason where the signal is
   *   aborted first; an Error where the thread died (another takes its place) or the worker threw. An error loses its
   *   class and code on its way out of a thread: a worker should return the failures it expects as values
   */
  run(task: Task, options: RunOptions = {}): Promise<Result> {
    const { signal, priority = 'bulk', transfer = [] } = options;
    if (this.#closed) return Promise.reject(new KinscanError('DRAINING', 'the worker pool is closed'));
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const mustWait = this.#runningCount >= this.#options.threads;
    if (mustWait && this.#waitingCount >= this.#options.queueLengthMax) {
      const retryAfterMs = this.#options.retryAfterMs ?? 50;
      return Promise.reject(
        new KinscanError('OVERLOADED', 'the queue of the worker pool is full', { retryAfterMs }),
      );
    }
    return new Promise<Result>((resolve, reject) => {
      const onAbort = (): void => {
        if (!waiting.dropped && this.#queues[priority].includes(waiting)) {
          waiting.dropped = true;
          this.#waitingCount--;
        }
        reject(signal?.reason as Error);
        this.#notifyIdle();
      };
      const settle = {
        resolve: (result: Result): void => {
          signal?.removeEventListener('abort', onAbort);
          resolve(result);
        },
        reject: (reason: Error): void => {
          signal?.removeEventListener('abort', onAbort);
          reject(reason);
        },
      };
      const waiting: Waiting<Task, Result> = { task, transfer, settle, dropped: false };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queues[priority].push(waiting);
      this.#waitingCount++;
      this.#pump();
    });
  }

  /** Resolves once nothing waits and nothing runs. */
  drain(): Promise<void> {
    if (this.#waitingCount === 0 && this.#runningCount === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Refuses new tasks, finishes those accepted, ends the threads. May be called again. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.drain();
    await this.#piscina.destroy();
  }

  #pump(): void {
    while (this.#runningCount < this.#options.threads) {
      const next = this.#next();
      if (next === undefined) return;
      this.#waitingCount--;
      void this.#start(next);
    }
  }

  #next(): Waiting<Task, Result> | undefined {
    for (const queue of [this.#queues.query, this.#queues.bulk]) {
      let head = queue.shift();
      while (head?.dropped === true) head = queue.shift();
      if (head !== undefined) return head;
    }
    return undefined;
  }

  async #start(waiting: Waiting<Task, Result>): Promise<void> {
    this.#runningCount++;
    try {
      const transferList = waiting.transfer as NonNullable<Parameters<Piscina['run']>[1]>['transferList'];
      const result = await this.#piscina.run(
        waiting.task,
        transferList === undefined ? {} : { transferList },
      );
      waiting.settle.resolve(result);
    } catch (thrown) {
      waiting.settle.reject(thrown as Error);
    } finally {
      this.#runningCount--;
      this.#pump();
      this.#notifyIdle();
    }
  }

  #notifyIdle(): void {
    if (this.#waitingCount > 0 || this.#runningCount > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}

/** The `workerData` of the pool that started this thread. */
export function workerPoolData(): WorkerPoolData {
  return Piscina.workerData;
}
