import type { PreparedQuery } from './segment-reader.js';

/** A search that takes less is over before a thread would have woken up and answered. */
const CHEAP_MS_MAX = 1;
/** How fast a slow search is forgotten: its part after so many others of its kind is half. */
const HALF_LIFE_SEARCHES = 100;
const KEPT_SHARE = 0.5 ** (1 / HALF_LIFE_SEARCHES);

/**
 * What searches have taken lately, by kind: the same codes are found in microseconds where they are clustered, and in
 * milliseconds where they must all be scanned, which shows in no count of rows.
 */
export class QueryCost {
  /** The slowest of late, in milliseconds. */
  readonly #slowest = new Map<number, number>();

  /** Whether a search of this kind may be expected to take less than a millisecond; a kind that is new may not. */
  isCheap(query: PreparedQuery): boolean {
    return (this.#slowest.get(kindOf(query)) ?? Infinity) <= CHEAP_MS_MAX;
  }

  record(query: PreparedQuery, elapsedMs: number): void {
    const kind = kindOf(query);
    this.#slowest.set(kind, Math.max(elapsedMs, (this.#slowest.get(kind) ?? 0) * KEPT_SHARE));
  }
}

/** Whether ranked by fine codes, filtered, from a place on, and the size of k: below 100 numbers. */
function kindOf({ k, fine, allowed, after }: PreparedQuery): number {
  const flags = (fine ? 1 : 0) + (allowed === undefined ? 0 : 2) + (after === undefined ? 0 : 4);
  return Math.ceil(Math.log2(k)) * 8 + flags;
}
