import type { HitList } from '../../core/hit-list.js';
import { compareRanked } from '../../core/ranking.js';
import type { IndexPlace } from '../index/shard-index.js';
import type { ResolvedHits } from './resolve-hits.js';

/** An image's place in the canonical order. */
export interface HitPlace extends IndexPlace {
  readonly imageId: string;
}

export function placeOf(hits: HitList, row: number): HitPlace {
  return {
    distance: hits.distances[row] as number,
    fineDistance: hits.fineDistances[row] as number,
    tieKey: hits.tieKeys[row] as bigint,
    imageId: hits.imageIds[row] as string,
  };
}

/**
 * The first k images behind a place. The index knows places without ids and gives those at the very place again, so it is
 * asked for one more, and for more where more come again.
 * @param find the first images at a place or behind it; undefined where index and store did not agree
 */
export async function searchBehind(
  place: HitPlace,
  k: number,
  find: (k: number) => Promise<ResolvedHits | undefined>,
): Promise<ResolvedHits | undefined> {
  for (let want = k + 1; ;) {
    const found = await find(want);
    if (found === undefined) return undefined;
    const { hits } = found;
    let known = 0;
    while (known < hits.count && !isBehind(placeOf(hits, known), place)) known++;
    if (hits.count - known >= k || hits.count < want)
      return rowsOf(found, known, Math.min(hits.count, known + k));
    want = k + known + 1;
  }
}

function isBehind(a: HitPlace, b: HitPlace): boolean {
  return compareRanked({ ...a, id: a.imageId }, { ...b, id: b.imageId }) > 0;
}

function rowsOf({ hits, attributes, summaries }: ResolvedHits, from: number, to: number): ResolvedHits {
  return {
    hits: {
      count: to - from,
      distances: hits.distances.slice(from, to),
      fineDistances: hits.fineDistances.slice(from, to),
      tieKeys: hits.tieKeys.slice(from, to),
      imageIds: hits.imageIds.slice(from, to),
    },
    attributes: attributes.slice(from, to),
    summaries: summaries.slice(from, to),
  };
}
