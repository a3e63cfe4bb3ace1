import { codeByteLength } from '../../core/code.js';
import { KinscanError } from '../../core/errors.js';
import type { ModelSettings } from '../../runtime/cluster-state.js';
import type { PartitionLoad } from '../index/shard-index.js';
import { noBlobs, type BlobManifest, type RowKind } from '../store/blob-store.js';
import { RowMerger } from '../store/merge-rows.js';
import type { RecordStore } from '../store/record-store.js';
import type { RowColumns } from '../store/row-block.js';
import { RowBuilder, type RowSink } from '../store/row-builder.js';
import { modelTagOf } from '../store/tie-entry.js';

/** Rows that the index of this model version holds. */
export function rowKindOf({ modelVersion, codeBits, fineCodeBits }: ModelSettings): RowKind {
  const fineCodeBytes = fineCodeBits === 0 ? 0 : codeByteLength(fineCodeBits);
  return {
    modelTag: modelTagOf(modelVersion),
    widths: { codeBytes: codeByteLength(codeBits), fineCodeBytes },
  };
}

/** The blobs and the journal of a partition, as its process knows them. */
export interface PartitionBlobs {
  /** Of the blobs that are in use; undefined: they must be written from the tie entries. */
  manifest: BlobManifest | undefined;
  /** Number of the last journal entry that is on disk. */
  journal: number;
  /** Rows removed and added by the entries that are not in the blobs. */
  journalRows: number;
}

export interface LoadOptions {
  readonly store: RecordStore;
  readonly kind: RowKind;
  /** Takes the rows, of which there are `rows`; their attribute sets must be of those that are stored. */
  readonly begin: (partition: number, rows: number) => PartitionLoad;
  /** Working memory for blocks that the journal changes, used again from partition to partition. */
  readonly staging: RowBuilder;
}

export interface LoadedPartition {
  readonly partition: number;
  readonly rows: number;
  /** Has all rows; still to be done() or to be abandoned. */
  readonly load: PartitionLoad;
  /** Live images of other model versions: stored, never compared. */
  readonly foreignCount: number;
  readonly blobs: PartitionBlobs;
  /** Why the blobs could not be used, where they are damaged. */
  readonly damage: KinscanError | undefined;
}

/**
 * Reads the rows of a partition: from its blobs and their journal, a block at a time, and blocks that the journal does
 * not change straight to their place in the index; from its tie entries, one per image, where those are damaged or of
 * another model version.
 * @param journal number of the last journal entry, as the partition's position says
 * @throws KinscanError CORRUPT_RECORD where a tie entry is damaged, too
 */
export async function loadPartition(
  partition: number,
  journal: number,
  options: LoadOptions,
): Promise<LoadedPartition> {
  let damage: KinscanError | undefined;
  try {
    const loaded = await loadBlobs(partition, journal, options);
    if (loaded !== undefined) return loaded;
  } catch (error) {
    if (!(error instanceof KinscanError && error.code === 'CORRUPT_RECORD')) throw error;
    damage = error;
  }
  const { store, kind, begin } = options;
  const rows = new RowBuilder(kind.widths, 1_024);
  let foreignCount = 0;
  for await (const chunk of tieEntryRows(store, partition, kind)) {
    rows.append(chunk.rows, 0, chunk.rows.count);
    foreignCount += chunk.foreignCount;
  }
  const load = begin(partition, rows.count);
  try {
    appendStored(load, rows.columns());
  } catch (error) {
    load.abandon();
    throw error;
  }
  const blobs = { manifest: undefined, journal, journalRows: 0 };
  return { partition, rows: rows.count, load, foreignCount, blobs, damage };
}

/** undefined: of another model version. */
async function loadBlobs(
  partition: number,
  journal: number,
  options: LoadOptions,
): Promise<LoadedPartition | undefined> {
  const { store, kind, staging, begin } = options;
  const modelTag = kind.modelTag.toString(16);
  const manifest = (await store.blobs.manifest(partition)) ?? noBlobs(modelTag);
  if (manifest.modelTag !== modelTag) return undefined;
  const merger = new RowMerger(kind.widths, 'at the end');
  let { foreignCount, rows } = manifest;
  for await (const entries of store.blobs.journal(partition, manifest.journal, journal, kind)) {
    for (const entry of entries) {
      if (entry === undefined) return undefined;
      merger.addChanges(entry);
      foreignCount += entry.foreignCountChange;
      rows += entry.rows.count - 2 * entry.removedCount;
    }
  }
  const load = begin(partition, Math.max(0, rows));
  const placeOf = load.place.bind(load);
  // what comes in one piece need not be staged; all else is, since it may lie where it goes to
  const pass = (produce: (sink: RowSink) => void, block?: RowColumns) => {
    staging.clear();
    produce({
      append: (source, from, to) => {
        const isWhole = to - from === source.count && (block === undefined || source === block);
        if (isWhole) appendStored(load, source);
        else staging.append(source, from, to);
      },
    });
    appendStored(load, staging.columns());
  };
  try {
    for await (const block of store.blobs.blocks(partition, manifest, kind.widths, placeOf)) {
      pass((sink) => merger.merge(block, sink), block);
    }
    pass((sink) => merger.finish(sink));
  } catch (error) {
    load.abandon();
    throw error;
  }
  const blobs = { manifest, journal, journalRows: merger.changedRows };
  return { partition, rows, load, foreignCount, blobs, damage: undefined };
}

/** Attribute sets are stored with the first image that has them. @throws KinscanError CORRUPT_RECORD */
function appendStored(load: PartitionLoad, rows: RowColumns): void {
  try {
    load.append(rows);
  } catch (cause) {
    if (!(cause instanceof KinscanError && cause.code === 'INVALID_ARGUMENT')) throw cause;
    throw new KinscanError('CORRUPT_RECORD', `stored rows do not fit: ${cause.message}`, { cause });
  }
}

/** Rows of some tie entries, and how many images of other model versions they name. */
export interface TieEntryRows {
  /** Ascending by tie key; good until the next chunk. */
  readonly rows: RowColumns;
  readonly foreignCount: number;
}

/** The rows that all tie entries of a partition make, as they were at the first call. @throws KinscanError CORRUPT_RECORD */
export async function* tieEntryRows(
  store: RecordStore,
  partition: number,
  { modelTag, widths }: RowKind,
): AsyncGenerator<TieEntryRows> {
  const rows = new RowBuilder(widths, 1_024);
  for await (const entries of store.tieEntries(partition)) {
    rows.clear();
    let foreignCount = 0;
    for (const { tieKey, states } of entries) {
      for (const { live } of states) {
        if (live === undefined) continue;
        if (live.modelTag === modelTag) rows.push({ ...live, tieKey });
        else foreignCount++;
      }
    }
    yield { rows: rows.columns(), foreignCount };
  }
}
