import { codeByteLength } from '../../core/code.js';
import { KinscanError } from '../../core/errors.js';
import type { ModelSettings } from '../../runtime/cluster-state.js';
import type { PackedRows } from '../index/shard-index.js';
import { noBlobs, type BlobManifest, type RowKind } from '../store/blob-store.js';
import { RowMerger } from '../store/merge-rows.js';
import type { RecordStore } from '../store/record-store.js';
import type { RowColumns } from '../store/row-block.js';
import { RowBuilder } from '../store/row-builder.js';
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

export interface LoadedPartition {
  readonly rows: PackedRows;
  /** Live images of other model versions: stored, never compared. */
  readonly foreignCount: number;
  readonly blobs: PartitionBlobs;
  /** Why the blobs could not be used, where they are damaged. */
  readonly damage: KinscanError | undefined;
}

/**
 * Reads the rows of a partition: from its blobs and their journal; from its tie entries, one per image, where those are
 * damaged or of another model version.
 * @param journal number of the last journal entry, as the partition's position says
 * @throws KinscanError CORRUPT_RECORD where a tie entry is damaged, too
 */
export async function loadPartition(
  store: RecordStore,
  partition: number,
  journal: number,
  kind: RowKind,
): Promise<LoadedPartition> {
  let damage: KinscanError | undefined;
  try {
    const loaded = await loadBlobs(store, partition, journal, kind);
    if (loaded !== undefined) return loaded;
  } catch (error) {
    if (!(error instanceof KinscanError && error.code === 'CORRUPT_RECORD')) throw error;
    damage = error;
  }
  const rows = new RowBuilder(kind.widths, 1_024);
  let foreignCount = 0;
  for await (const chunk of tieEntryRows(store, partition, kind)) {
    rows.append(chunk.rows, 0, chunk.rows.count);
    foreignCount += chunk.foreignCount;
  }
  const blobs = { manifest: undefined, journal, journalRows: 0 };
  return { rows: rows.packed(), foreignCount, blobs, damage };
}

/** undefined: of another model version. */
async function loadBlobs(
  store: RecordStore,
  partition: number,
  journal: number,
  kind: RowKind,
): Promise<LoadedPartition | undefined> {
  const modelTag = kind.modelTag.toString(16);
  const manifest = (await store.blobs.manifest(partition)) ?? noBlobs(modelTag);
  if (manifest.modelTag !== modelTag) return undefined;
  const merger = new RowMerger(kind.widths);
  let { foreignCount } = manifest;
  for await (const entries of store.blobs.journal(partition, manifest.journal, journal, kind)) {
    for (const entry of entries) {
      if (entry === undefined) return undefined;
      merger.addChanges(entry);
      foreignCount += entry.foreignCountChange;
    }
  }
  const rows = new RowBuilder(kind.widths, manifest.rows + merger.changedRows);
  for await (const block of checkedBlocks(store, partition, manifest, kind)) merger.merge(block, rows);
  merger.finish(rows);
  const blobs = { manifest, journal, journalRows: merger.changedRows };
  return { rows: rows.packed(), foreignCount, blobs, damage: undefined };
}

/** The blocks of a manifest, which must hold as many rows as it says. @throws KinscanError CORRUPT_RECORD */
export async function* checkedBlocks(
  store: RecordStore,
  partition: number,
  manifest: BlobManifest,
  kind: RowKind,
): AsyncGenerator<RowColumns> {
  let rows = 0;
  for await (const block of store.blobs.blocks(partition, manifest, kind.widths)) {
    rows += block.count;
    yield block;
  }
  if (rows !== manifest.rows) throw new KinscanError('CORRUPT_RECORD', 'the stored blobs miss rows');
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
