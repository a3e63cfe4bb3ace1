import { baseImageId } from '../../core/image-id.js';
import { tieKeyOf } from '../../core/tie-key.js';
import type { RecordStore, TieKeyRef } from '../store/record-store.js';
import type { IdState } from '../store/tie-entry.js';
import type { StoredStates } from './decide-entries.js';
import type { DecodedEntry } from './decode-log-entry.js';

/** The entries of a batch that concern one partition. */
export interface PartitionEntries {
  readonly partition: number;
  readonly entries: readonly DecodedEntry[];
}

/** What is stored of the ids that a batch is about, in one partition. */
export interface PartitionStates extends StoredStates {
  /** Whole tie entries, to be written back with what changes in them. */
  readonly statesByTieKey: ReadonlyMap<bigint, readonly IdState[]>;
}

/** Reads all that decideEntries needs, in one read for all partitions. @throws KinscanError CORRUPT_RECORD */
export async function readStoredStates(
  store: RecordStore,
  shares: readonly PartitionEntries[],
): Promise<PartitionStates[]> {
  const framesOfShares = await Promise.all(shares.map((share) => readFrames(store, share)));
  const refsOfShares = shares.map((share, i) => refsOf(share, framesOfShares[i] as Map<string, string[]>));
  const tieEntries = await store.readTieEntries(refsOfShares.flat());
  let at = 0;
  return refsOfShares.map((refs, i) => {
    const states = new Map<string, IdState>();
    const statesByTieKey = new Map<bigint, readonly IdState[]>();
    for (const { tieKey } of refs) {
      const inEntry = tieEntries[at++] as IdState[];
      statesByTieKey.set(tieKey, inEntry);
      for (const state of inEntry) states.set(state.imageId, state);
    }
    return { states, statesByTieKey, framesByBase: framesOfShares[i] as Map<string, string[]> };
  });
}

async function readFrames(
  store: RecordStore,
  { partition, entries }: PartitionEntries,
): Promise<Map<string, string[]>> {
  const removed = new Set(entries.flatMap((entry) => (entry.kind === 'removal' ? [entry.imageId] : [])));
  const frames = new Map<string, string[]>();
  for (const imageId of removed) frames.set(imageId, await store.frameIds(partition, imageId));
  return frames;
}

/** Every tie key whose entry may decide or change, once. */
function refsOf({ partition, entries }: PartitionEntries, frames: Map<string, string[]>): TieKeyRef[] {
  const ids = new Set<string>();
  for (const { imageId } of entries) ids.add(imageId).add(baseImageId(imageId));
  for (const frameIds of frames.values()) for (const id of frameIds) ids.add(id);
  const tieKeys = new Set([...ids].map(tieKeyOf));
  return [...tieKeys].map((tieKey) => ({ partition, tieKey }));
}
