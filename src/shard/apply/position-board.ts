import { KinscanError } from '../../core/errors.js';

/** Calls that may wait for a position at once; one more is refused. */
const WAITERS_MAX = 10_000;

export interface WantedPosition {
  readonly partition: number;
  readonly sequence: number;
}

interface Waiter {
  readonly wanted: readonly WantedPosition[];
  readonly reached: () => void;
}

/** How far each hosted partition is searchable, and who waits for more. */
export class PositionBoard {
  readonly #sequences = new Map<number, number>();
  readonly #waiters = new Set<Waiter>();

  /** Last CODES sequence that is durable and searchable; 0 for a partition that is not here. */
  sequenceOf(partition: number): number {
    return this.#sequences.get(partition) ?? 0;
  }

  set(partitions: Iterable<readonly [partition: number, sequence: number]>): void {
    for (const [partition, sequence] of partitions) this.#sequences.set(partition, sequence);
    for (const waiter of this.#waiters) if (this.#has(waiter.wanted)) waiter.reached();
  }

  /**
   * Resolves once every position is reached.
   * @throws KinscanError SHARD_UNAVAILABLE after `timeoutMs`, OVERLOADED where too many wait; signal.reason on abort
   */
  waitFor(wanted: readonly WantedPosition[], timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#has(wanted)) return Promise.resolve();
    if (this.#waiters.size >= WAITERS_MAX) {
      const error = new KinscanError('OVERLOADED', 'too many calls wait for a log position', {
        retryAfterMs: 100,
      });
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
        settle();
      };
      const onAbort = () => end(() => reject(signal.reason as Error));
      const late = () =>
        new KinscanError('SHARD_UNAVAILABLE', 'the log position of the token was not reached in time', {
          retryAfterMs: 100,
        });
      const waiter: Waiter = { wanted, reached: () => end(resolve) };
      const timer = setTimeout(() => end(() => reject(late())), timeoutMs);
      signal.addEventListener('abort', onAbort);
      this.#waiters.add(waiter);
    });
  }

  #has(wanted: readonly WantedPosition[]): boolean {
    return wanted.every(({ partition, sequence }) => this.sequenceOf(partition) >= sequence);
  }
}
