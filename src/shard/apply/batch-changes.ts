import { tieKeyOf } from '../../core/tie-key.js';
import type { IndexRow } from '../index/shard-index.js';
import type { StoreChange } from '../store/record-store.js';
import type { IdState, LiveImage } from '../store/tie-entry.js';
import type { Decision } from './decide-entries.js';
import type { PartitionStates } from './stored-states.js';

/** What a decision makes of one partition, in the store and in the index. */
export interface BatchChanges {
  readonly tieEntries: StoreChange['tieEntries'];
  readonly records: StoreChange['records'];
  /** Rows of the index that were there before the batch and no longer are. */
  readonly removed: readonly IndexRow[];
  readonly added: readonly IndexRow[];
  /** Images that became searchable less those that no longer are. */
  readonly imageCountChange: number;
  /** The same of images of other model versions. */
  readonly foreignCountChange: number;
}

/** @param modelTag of the model version whose codes the index holds */
export function batchChangesOf(
  partition: number,
  decision: Decision,
  stored: PartitionStates,
  modelTag: bigint,
): BatchChanges {
  const removed: IndexRow[] = [];
  const added: IndexRow[] = [];
  const records: StoreChange['records'][number][] = [];
  const entries = new Map<bigint, Map<string, IdState>>();
  let [imageCountChange, foreignCountChange] = [0, 0];
  for (const [imageId, { before, after, record }] of decision.changes) {
    const tieKey = tieKeyOf(imageId);
    tieEntryOf(entries, tieKey, stored).set(imageId, after);
    if (record !== undefined || (before.live !== undefined && after.live === undefined)) {
      records.push({ partition, tieKey, imageId, record });
    }
    const isIndexed = (live: LiveImage | undefined) => live?.modelTag === modelTag;
    const isForeign = (live: LiveImage | undefined) => live !== undefined && live.modelTag !== modelTag;
    imageCountChange += Number(isIndexed(after.live)) - Number(isIndexed(before.live));
    foreignCountChange += Number(isForeign(after.live)) - Number(isForeign(before.live));
    const from = isIndexed(before.live) ? rowOf(tieKey, before.live as LiveImage) : undefined;
    const to = isIndexed(after.live) ? rowOf(tieKey, after.live as LiveImage) : undefined;
    if (from && to && sameRow(from, to)) continue;
    if (from) removed.push(from);
    if (to) added.push(to);
  }
  const tieEntries = [...entries].map(([tieKey, states]) => ({
    partition,
    tieKey,
    states: [...states.values()].filter(isWorthKeeping),
  }));
  return { tieEntries, records, removed, added, imageCountChange, foreignCountChange };
}

/** The tie entry as it is to be written: what is stored of it, to begin with. */
function tieEntryOf(
  entries: Map<bigint, Map<string, IdState>>,
  tieKey: bigint,
  stored: PartitionStates,
): Map<string, IdState> {
  let entry = entries.get(tieKey);
  if (entry === undefined) {
    const states = stored.statesByTieKey.get(tieKey) ?? [];
    entry = new Map(states.map((state) => [state.imageId, state]));
    entries.set(tieKey, entry);
  }
  return entry;
}

/** A frame that went with its instance leaves nothing behind: the instance's tombstone covers it. */
function isWorthKeeping(state: IdState): boolean {
  return state.live !== undefined || state.removedBefore > 0;
}

function rowOf(tieKey: bigint, live: LiveImage): IndexRow {
  return { tieKey, code: live.code, fineCode: live.fineCode, attributes: live.attributes };
}

function sameRow(a: IndexRow, b: IndexRow): boolean {
  if (a.attributes !== b.attributes) return false;
  return Buffer.compare(a.code, b.code) === 0 && Buffer.compare(a.fineCode, b.fineCode) === 0;
}
