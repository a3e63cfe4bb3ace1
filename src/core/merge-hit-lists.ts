import { EMPTY_HIT_LIST, type HitList } from './hit-list.js';
import { compareIds } from './ranking.js';

/**
 * The first k of several hit lists that are each in canonical order: exactly the list that one shard server holding all
 * of them would give (DESIGN.md, guarantee G2).
 */
export function mergeHitLists(lists: readonly HitList[], k: number): HitList {
  const filled = lists.filter((list) => list.count > 0);
  if (filled.length === 0) return EMPTY_HIT_LIST;
  const count = Math.min(
    k,
    filled.reduce((sum, list) => sum + list.count, 0),
  );
  const merged = {
    count,
    distances: new Uint16Array(count),
    fineDistances: new Uint16Array(count),
    tieKeys: new BigUint64Array(count),
    imageIds: new Array<string>(count),
  };
  const heads = filled.map(() => 0);
  for (let i = 0; i < count; i++) {
    const best = nearestHead(filled, heads);
    const list = filled[best] as HitList;
    const row = heads[best] as number;
    merged.distances[i] = list.distances[row] as number;
    merged.fineDistances[i] = list.fineDistances[row] as number;
    merged.tieKeys[i] = list.tieKeys[row] as bigint;
    merged.imageIds[i] = list.imageIds[row] as string;
    heads[best] = row + 1;
  }
  return merged;
}

/** Index of the list whose head comes first; shard servers are few, so a linear look beats a heap. */
function nearestHead(lists: readonly HitList[], heads: readonly number[]): number {
  let best = -1;
  for (let candidate = 0; candidate < lists.length; candidate++) {
    if ((heads[candidate] as number) >= (lists[candidate] as HitList).count) continue;
    if (
      best < 0 ||
      compareHits(
        lists[candidate] as HitList,
        heads[candidate] as number,
        lists[best] as HitList,
        heads[best] as number,
      ) < 0
    ) {
      best = candidate;
    }
  }
  return best;
}

/** Canonical order of row i of one list and row j of another; ids compare by their UTF-8 bytes. */
export function compareHits(a: HitList, i: number, b: HitList, j: number): number {
  const byDistance = (a.distances[i] as number) - (b.distances[j] as number);
  if (byDistance !== 0) return byDistance;
  const byFineDistance = (a.fineDistances[i] as number) - (b.fineDistances[j] as number);
  if (byFineDistance !== 0) return byFineDistance;
  const tieKeyA = a.tieKeys[i] as bigint;
  const tieKeyB = b.tieKeys[j] as bigint;
  if (tieKeyA !== tieKeyB) return tieKeyA < tieKeyB ? -1 : 1;
  return compareIds(a.imageIds[i] as string, b.imageIds[j] as string);
}
