import { hammingDistance } from '../../core/code.js';
import type { HitList } from '../../core/hit-list.js';
import type { IndexFilter, IndexHits, IndexQuery } from '../index/shard-index.js';
import type { RecordStore, TieKeyRef } from '../store/record-store.js';
import type { IdState, LiveImage } from '../store/tie-entry.js';

/** Hits with the attribute sets of their images and what results show of them. */
export interface ResolvedHits {
  readonly hits: HitList;
  /** Numbers in the attribute table, shape [hits.count]. */
  readonly attributes: Uint32Array;
  /** Encoded ImageRecords (summaryOf), shape [hits.count]. */
  readonly summaries: readonly Uint8Array[];
}

/** Hits with what results show of them. */
export type ShownHits = Pick<ResolvedHits, 'hits' | 'summaries'>;

/**
 * Gives the hits of the index their image ids, and what else their tie entries tell of them.
 *
 * The index knows an image by (partition, tie key, codes) only. Its tie entry in the store names the ids with that tie
 * key; the hit's ids are those that are live, of the index's model version, allowed by the query's filter and at the hit's
 * distances. Several rows with
 * equal (distance, fine distance, tie key) get their ids in the order of the ids' bytes, which is the order that tie
 * entries keep: the canonical order.
 *
 * The store may be ahead of the index for the moment between writing one and the other: an image that was deleted or
 * got another code in that moment has no id at the hit's distances.
 * @returns undefined where a hit has no id any more: the answer is of a state that is gone, search again
 * @throws KinscanError CORRUPT_RECORD
 */
export async function resolveHits(
  store: RecordStore,
  hits: IndexHits,
  query: IndexQuery,
  modelTag: bigint,
): Promise<ResolvedHits | undefined> {
  const { count, distances, fineDistances, tieKeys, partitions } = hits;
  const firstRows = rowsByTieKey(hits);
  const refs = [...firstRows.values()]
    .map((row) => ({ partition: partitions[row] as number, tieKey: tieKeys[row] as bigint }))
    .sort(byKeyOrder);
  const tieEntries = await readTieEntries(store, refs);
  const imageIds = new Array<string>(count);
  const attributes = new Uint32Array(count);
  const summaries = new Array<Uint8Array>(count);
  const hasRepeats = firstRows.size < count;
  const taken = new Map<bigint, Set<string>>();
  for (let row = 0; row < count; row++) {
    const tieKey = tieKeys[row] as bigint;
    const states = tieEntries.get(tieKey) as readonly IdState[];
    const distance = distances[row] as number;
    const fineDistance = fineDistances[row] as number;
    const isHit = ({ imageId, live }: IdState): boolean =>
      live !== undefined &&
      live.modelTag === modelTag &&
      isAllowed(live.attributes, query.filter) &&
      taken.get(tieKey)?.has(imageId) !== true &&
      isAt(live, query, distance, fineDistance);
    const state = states.find(isHit);
    if (state?.live === undefined) return undefined;
    imageIds[row] = state.imageId;
    attributes[row] = state.live.attributes;
    summaries[row] = state.live.summary;
    // only where a tie key comes again is it of use to know what was given out
    if (hasRepeats) taken.set(tieKey, (taken.get(tieKey) ?? new Set()).add(state.imageId));
  }
  return { hits: { count, distances, fineDistances, tieKeys, imageIds }, attributes, summaries };
}

/** The first row of each tie key; a tie key lies in one partition, which its top bits name. */
function rowsByTieKey({ count, tieKeys }: IndexHits): Map<bigint, number> {
  const rows = new Map<bigint, number>();
  for (let row = 0; row < count; row++) {
    const tieKey = tieKeys[row] as bigint;
    if (!rows.has(tieKey)) rows.set(tieKey, row);
  }
  return rows;
}

/** Neighbours in the store are read together: 10,000 entries in a quarter of the time while its cache is cold. */
function byKeyOrder(a: TieKeyRef, b: TieKeyRef): number {
  if (a.partition !== b.partition) return a.partition - b.partition;
  return a.tieKey < b.tieKey ? -1 : 1;
}

async function readTieEntries(
  store: RecordStore,
  refs: readonly TieKeyRef[],
): Promise<Map<bigint, readonly IdState[]>> {
  const entries = await store.readTieEntries(refs);
  return new Map(refs.map(({ tieKey }, i) => [tieKey, entries[i] as readonly IdState[]]));
}

function isAllowed(set: number, filter: IndexFilter | undefined): boolean {
  return filter === undefined || (((filter.allowed[set >>> 5] ?? 0) >>> (set & 31)) & 1) === 1;
}

function isAt(live: LiveImage, query: IndexQuery, distance: number, fineDistance: number): boolean {
  if (hammingDistance(live.code, query.code) !== distance) return false;
  if (query.ranking !== 'FINE' || query.fineCode === undefined) return true;
  return hammingDistance(live.fineCode, query.fineCode) === fineDistance;
}
