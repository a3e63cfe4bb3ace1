import type { PreparedQuery } from './segment-reader.js';

/** A search that takes less is over before, or soon after, a thread would have woken up and told of it. */
const CHEAP_MS_MAX = 1;
/** Weight of the newest search in the mean. */
const NEWEST_WEIGHT = 0.05;

/**
 * What searches take, by kind: the same number of codes is searched in microseconds where they are clustered, and in
 * milliseconds where they must all be scanned.
 */
export class QueryCost {
  /** Moving means, in milliseconds. */
  readonly #meanMs = new Map<number, number>();

  /** Whether a search of this kind may be expected to be cheap; one of a kind that is new may not. */
  isCheap(query: PreparedQuery): boolean {
    return (this.#meanMs.get(kindOf(query)) ?? Infinity) <= CHEAP_MS_MAX;
  }

  record(query: PreparedQuery, elapsedMs: number): void {
    const kind = kindOf(query);
    const mean = this.#meanMs.get(kind) ?? elapsedMs;
    this.#meanMs.set(kind, mean + (elapsedMs - mean) * NEWEST_WEIGHT);
  }
}

/** Whether ranked by fine codes, filtered, from a place on, and the size of k: below 120 numbers. */
function kindOf({ k, fine, allowed, after }: PreparedQuery): number {
  const flags = (fine ? 1 : 0) + (allowed === undefined ? 0 : 2) + (after === undefined ? 0 : 4);
  return Math.ceil(Math.log2(k)) * 8 + flags;
}
