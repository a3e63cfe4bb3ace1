import { KinscanError } from '../core/errors.js';
import { Random } from '../core/random.js';

/**
 * Draws queries from a list at random; the rest is the gallery. The same seed draws the same queries.
 * @returns row numbers, each list ascending
 * @throws KinscanError INVALID_ARGUMENT unless 1 <= queryCount < count
 */
export function splitQueries(
  count: number,
  queryCount: number,
  seed: number,
): { queries: number[]; gallery: number[] } {
  if (queryCount < 1 || queryCount >= count) {
    throw new KinscanError(
      'INVALID_ARGUMENT',
      `cannot take ${queryCount} queries out of ${count} images: at least one query and one gallery image are needed`,
    );
  }
  const shuffled = new Random(seed).shuffle(Array.from({ length: count }, (_, row) => row));
  const ascending = (a: number, b: number) => a - b;
  return {
    queries: shuffled.slice(0, queryCount).sort(ascending),
    gallery: shuffled.slice(queryCount).sort(ascending),
  };
}

/** `wanted` rows out of `count` at random, ascending; all of them where there are not more. */
export function sampleRows(count: number, wanted: number, seed: number): number[] {
  const rows = Array.from({ length: count }, (_, row) => row);
  if (wanted >= count) return rows;
  return new Random(seed)
    .shuffle(rows)
    .slice(0, wanted)
    .sort((a, b) => a - b);
}
