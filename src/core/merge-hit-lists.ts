import { EMPTY_HIT_LIST, GROUP_KEY_BYTES, type HitList } from './hit-list.js';
import { HitListBuilder } from './hit-list-builder.js';
import { compareIds } from './ranking.js';

/**
 * The first k of several hit lists that are each in canonical order: exactly the list that one shard server holding all
 * of them would give (DESIGN.md, guarantee G2).
 *
 * Lists of grouped searches hold of each group its first hit on that shard server, for the first k groups there. A group
 * may lie on several; of its hits the first is kept. That is exact:
 *
 * *Proof.* Let x be the first image of a group g, among the first k groups of the whole gallery, on shard server s. A
 * group with a hit before x on s has its first image of the whole gallery before x too, so it comes before g: there are
 * fewer than k of them, and s has x in its list. In the merge, likewise, fewer than k groups have a hit before x, and none
 * of those hits is of g: x is kept. So all first k groups are kept, by their first images; what else is kept is of a later
 * group, hence behind all of them, and cut off. ∎
 */
export function mergeHitLists(lists: readonly HitList[], k: number): HitList {
  const filled = lists.filter((list) => list.count > 0);
  if (filled.length === 0) return EMPTY_HIT_LIST;
  const rowCount = filled.reduce((sum, list) => sum + list.count, 0);
  const merged = new HitListBuilder(Math.min(k, rowCount));
  const groups = new GroupGate();
  const heads = filled.map(() => 0);
  for (
    let best = nearestHead(filled, heads);
    best >= 0 && !merged.isFull;
    best = nearestHead(filled, heads)
  ) {
    const list = filled[best] as HitList;
    const row = heads[best] as number;
    heads[best] = row + 1;
    const groupKey = list.groupKeys?.subarray(row * GROUP_KEY_BYTES, (row + 1) * GROUP_KEY_BYTES);
    if (groupKey === undefined || groups.isNew(groupKey)) merged.take(list, row, groupKey);
  }
  return merged.hits();
}

/** Takes the groups that it is shown, each once. */
class GroupGate {
  readonly #taken = new Set<string>();

  isNew(groupKey: Uint8Array): boolean {
    if (groupKey.every((byte) => byte === 0)) return true;
    const text = Buffer.from(groupKey.buffer, groupKey.byteOffset, groupKey.byteLength).toString('latin1');
    if (this.#taken.has(text)) return false;
    this.#taken.add(text);
    return true;
  }
}

/** Index of the list whose head comes first, -1 where all are used up; shard servers are few, so a look at each beats a heap. */
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
