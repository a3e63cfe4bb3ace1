import { KinscanError } from '../../core/errors.js';
import { readRows, sealRows, type RowColumns, type RowWidths } from './row-block.js';
import { RowBuilder, type StoredRow } from './row-builder.js';
import { unsealValue } from './sealed-value.js';

/** What one batch of the log changed in the rows of a partition. */
export interface RowChanges {
  /** modelTagOf the model version whose rows these are. */
  readonly modelTag: bigint;
  /** Images of other model versions that came, less those that went. */
  readonly foreignCountChange: number;
  /** Rows that were there before the batch and no longer are. */
  readonly removed: readonly StoredRow[];
  readonly added: readonly StoredRow[];
}

/** The same as it is read: the first `removedCount` rows were removed, the others added. */
export interface JournalEntry {
  readonly foreignCountChange: number;
  readonly removedCount: number;
  readonly rows: RowColumns;
}

const HEAD_BYTES = 16;

/**
 * Packs the changes of a batch, sealed:
 *
 *     | modelTag u64 | foreignCountChange i32 | removedCount u32 | rows as in row-block.ts: removed, then added |
 */
export function sealChanges(changes: RowChanges, widths: RowWidths): Buffer {
  const { removed, added } = changes;
  const rows = new RowBuilder(widths, removed.length + added.length);
  for (const row of removed) rows.push(row);
  for (const row of added) rows.push(row);
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeBigUInt64LE(changes.modelTag, 0);
  head.writeInt32LE(changes.foreignCountChange, 8);
  head.writeUInt32LE(removed.length, 12);
  return sealRows(rows.columns(), widths, head);
}

/**
 * @returns undefined where the entry is of another model version, whose rows may have other widths
 * @throws KinscanError CORRUPT_RECORD
 */
export function unsealChanges(sealed: Buffer, widths: RowWidths, modelTag: bigint): JournalEntry | undefined {
  const body = unsealValue(sealed);
  if (body.length < HEAD_BYTES) throw damaged();
  if (body.readBigUInt64LE(0) !== modelTag) return undefined;
  const rows = readRows(body.subarray(HEAD_BYTES), widths);
  const removedCount = body.readUInt32LE(12);
  if (removedCount > rows.count) throw damaged();
  return { foreignCountChange: body.readInt32LE(8), removedCount, rows };
}

function damaged(): KinscanError {
  return new KinscanError('CORRUPT_RECORD', 'a stored journal entry is not as it was written');
}
