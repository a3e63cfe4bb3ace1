import { assert } from '../core/errors.js';

export interface FlowLimits {
  readonly countMax: number;
  /** An item above it still passes, alone. */
  readonly bytesMax: number;
}

interface Waiting {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * Lets a bounded number of items, and of bytes, be under way. Who waits is served in order of arrival, so a large item is
 * not overtaken for ever by small ones.
 */
export class FlowLimiter {
  readonly #limits: FlowLimits;
  readonly #waiting: Waiting[] = [];
  #count = 0;
  #bytes = 0;

  constructor(limits: FlowLimits) {
    this.#limits = limits;
  }

  /** Items under way. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the items under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Waits until the item may go. Each admitted item is released exactly once.
   * @returns false where the signal aborted first: then nothing is to be released
   */
  acquire(bytes: number, signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted) return Promise.resolve(false);
    if (this.tryAcquire(bytes)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiting: Waiting = {
        bytes,
        admit: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve(true);
        },
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        resolve(false);
        // the one behind may be smaller
        this.#admitWaiting();
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiting);
    });
  }

  /** Takes a place now, or returns false. */
  tryAcquire(bytes: number): boolean {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return false;
    this.#take(bytes);
    return true;
  }

  /** @param bytes as acquired */
  release(bytes: number): void {
    this.#count--;
    this.#bytes -= bytes;
    assert(this.#count >= 0 && this.#bytes >= 0, 'released more than was acquired');
    this.#admitWaiting();
  }

  #fits(bytes: number): boolean {
    if (this.#count === 0) return true;
    return this.#count < this.#limits.countMax && this.#bytes + bytes <= this.#limits.bytesMax;
  }

  #take(bytes: number): void {
    this.#count++;
    this.#bytes += bytes;
  }

  #admitWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#take(next.bytes);
      next.admit();
    }
  }
}
