import type { AllowedSets } from './allowed-sets.js';
import type { IndexPlace } from './index-api.js';

/** Numbers per query in SearchTask.params. */
export const PARAM_NUMBERS = 8;

/** What a query is besides its codes. */
export interface QueryRules {
  /** Answers wanted. */
  readonly k: number;
  readonly maxDistance: number;
  readonly fine: boolean;
  /** Which attribute sets rows may have; undefined: all. */
  readonly allowed: AllowedSets | undefined;
  /** The first place that an answer may have; undefined: any. */
  readonly after: IndexPlace | undefined;
}

/**
 * (k, maxDistance, fine 0 or 1, 1 + place in `filters` or 0, 1 + distance of the cursor or 0, its fine distance, the
 * halves of its tie key, low first)
 * @param filters gets the query's filter
 */
export function packRules(
  { k, maxDistance, fine, allowed, after }: QueryRules,
  filters: AllowedSets[],
): number[] {
  const filter = allowed === undefined ? 0 : filters.push(allowed);
  const place = after && [
    after.distance + 1,
    after.fineDistance,
    Number(after.tieKey & 0xffff_ffffn),
    Number(after.tieKey >> 32n),
  ];
  return [k, maxDistance, fine ? 1 : 0, filter, ...(place ?? [0, 0, 0, 0])];
}

export function unpackRules(params: Uint32Array, filters: readonly AllowedSets[]): QueryRules {
  const [k = 0, maxDistance = 0, fine, filter = 0, afterEnd = 0, fineDistance = 0, low = 0, high = 0] =
    params;
  const tieKey = (BigInt(high) << 32n) | BigInt(low);
  return {
    k,
    maxDistance,
    fine: fine === 1,
    allowed: filters[filter - 1],
    after: afterEnd === 0 ? undefined : { distance: afterEnd - 1, fineDistance, tieKey },
  };
}
