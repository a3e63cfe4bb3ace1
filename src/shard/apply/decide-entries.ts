import { baseImageId } from '../../core/image-id.js';
import { summaryOf } from '../store/record-summary.js';
import { logRevisionOf, modelTagOf, type IdState, type LiveImage } from '../store/tie-entry.js';
import type { DecodedEntry, RecordEntry, RemovalEntry } from './decode-log-entry.js';

/** What is stored of the ids that a batch is about. */
export interface StoredStates {
  /** By image id; an id that is missing was never seen. */
  readonly states: ReadonlyMap<string, IdState>;
  /** Ids of the live frames of each id that the batch removes. */
  readonly framesByBase: ReadonlyMap<string, readonly string[]>;
}

/** One id before and after a batch. */
export interface IdChange {
  readonly before: IdState;
  readonly after: IdState;
  /** Bytes to store; undefined: what is stored stays, or goes where `after` is not live. */
  readonly record: Uint8Array | undefined;
}

export interface Decision {
  /** Ids whose state changed, by id. */
  readonly changes: ReadonlyMap<string, IdChange>;
  /** Records and removals that were older than what is stored. */
  readonly staleCount: number;
}

/**
 * Decides, without touching anything but the numbers of attribute sets, what a batch of entries makes of one partition (guarantee G5):
 *
 *     a record of revision r is taken  <=>  r > revision of the live image
 *                                      and  r >= tombstone of its id
 *                                      and  r >= tombstone of its base id
 *     a removal of revision r  takes away the id and its frames where their revision < r, and
 *                              raises the tombstone of the id to r
 *
 * Both depend only on the greatest revisions seen, so a replay changes nothing.
 * @param entries in the order of the log
 * @param generation of the log that they come from
 * @param intern gives a packed attribute set its number
 */
export function decideEntries(
  entries: readonly DecodedEntry[],
  generation: number,
  stored: StoredStates,
  intern: (attributes: Uint8Array) => number,
): Decision {
  const batch = new BatchStates(stored);
  let staleCount = 0;
  for (const entry of entries) {
    const changed =
      entry.kind === 'record'
        ? takeRecord(entry, generation, batch, intern)
        : takeRemoval(entry, generation, batch);
    if (!changed) staleCount++;
  }
  return { changes: batch.changes(), staleCount };
}

function takeRecord(
  entry: RecordEntry,
  generation: number,
  batch: BatchStates,
  intern: (attributes: Uint8Array) => number,
): boolean {
  const revision = logRevisionOf(generation, entry.revision);
  const state = batch.stateOf(entry.imageId);
  const baseId = baseImageId(entry.imageId);
  const base = baseId === entry.imageId ? state : batch.stateOf(baseId);
  if (revision <= (state.live?.revision ?? 0)) return false;
  if (revision < state.removedBefore || revision < base.removedBefore) return false;
  const live: LiveImage = {
    revision,
    modelTag: modelTagOf(entry.modelVersion),
    code: entry.code,
    fineCode: entry.fineCode,
    attributes: intern(entry.attributes),
    summary: summaryOf(entry.record),
  };
  batch.put({ ...state, live }, entry.record);
  if (baseId !== entry.imageId) batch.framesOf(baseId).add(entry.imageId);
  return true;
}

function takeRemoval(entry: RemovalEntry, generation: number, batch: BatchStates): boolean {
  const revision = logRevisionOf(generation, entry.revision);
  const state = batch.stateOf(entry.imageId);
  if (revision <= state.removedBefore) return false;
  const isOlder = (live: LiveImage | undefined) => live !== undefined && live.revision < revision;
  batch.put({
    ...state,
    removedBefore: revision,
    live: isOlder(state.live) ? undefined : state.live,
  });
  for (const frameId of batch.framesOf(entry.imageId)) {
    const frame = batch.stateOf(frameId);
    if (isOlder(frame.live)) batch.put({ ...frame, live: undefined });
  }
  return true;
}

/** The stored states with what the batch has made of them so far. */
class BatchStates {
  readonly #stored: StoredStates;
  readonly #changes = new Map<string, IdChange>();
  readonly #frames = new Map<string, Set<string>>();

  constructor(stored: StoredStates) {
    this.#stored = stored;
  }

  stateOf(imageId: string): IdState {
    return this.#changes.get(imageId)?.after ?? this.#storedState(imageId);
  }

  /** @param record of a live image that is new; what an earlier entry of the batch brought is kept otherwise */
  put(after: IdState, record?: Uint8Array): void {
    const earlier = this.#changes.get(after.imageId);
    const before = earlier?.before ?? this.#storedState(after.imageId);
    const kept = after.live === undefined ? undefined : (record ?? earlier?.record);
    this.#changes.set(after.imageId, { before, after, record: kept });
  }

  /** Frames of a base id: those stored, and those that the batch brought. */
  framesOf(baseId: string): Set<string> {
    let frames = this.#frames.get(baseId);
    if (frames === undefined) {
      frames = new Set(this.#stored.framesByBase.get(baseId));
      this.#frames.set(baseId, frames);
    }
    return frames;
  }

  changes(): ReadonlyMap<string, IdChange> {
    return this.#changes;
  }

  #storedState(imageId: string): IdState {
    return this.#stored.states.get(imageId) ?? { imageId, removedBefore: 0, live: undefined };
  }
}
