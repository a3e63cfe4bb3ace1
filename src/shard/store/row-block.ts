import { KinscanError } from '../../core/errors.js';
import { checkSealed, SEAL_BYTES, sealValue, unsealValue } from './sealed-value.js';

/** Bytes that each row takes in the columns whose width depends on the model. */
export interface RowWidths {
  readonly codeBytes: number;
  /** 0 where the model makes no fine codes. */
  readonly fineCodeBytes: number;
}

/** Rows of one partition as columns of bytes, end to end, numbers little-endian; some or all rows of a blob. */
export interface RowColumns {
  readonly count: number;
  /** 8 bytes a row */
  readonly tieKeys: Uint8Array;
  /** 4 bytes a row: number of the attribute set */
  readonly attributes: Uint8Array;
  readonly codes: Uint8Array;
  readonly fineCodes: Uint8Array;
}

const TIE_KEY_BYTES = 8;
const ATTRIBUTES_BYTES = 4;
const HEADER_BYTES = 8;
/** What stands before the columns in a sealed block. */
export const BLOCK_HEAD_BYTES = SEAL_BYTES + HEADER_BYTES;

/** Bytes of one row in a block. */
export function bytesPerRow({ codeBytes, fineCodeBytes }: RowWidths): number {
  return TIE_KEY_BYTES + ATTRIBUTES_BYTES + codeBytes + fineCodeBytes;
}

/**
 * Packs rows for storing:
 *
 *     | count u32 | codeBytes u16 | fineCodeBytes u16 | tie keys | attributes | codes | fine codes |
 *
 * @param head bytes that go before, for what stores more than rows
 */
export function sealRows(rows: RowColumns, widths: RowWidths, head: Uint8Array = NOTHING): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(rows.count, 0);
  header.writeUInt16LE(widths.codeBytes, 4);
  header.writeUInt16LE(widths.fineCodeBytes, 6);
  return sealValue(head, header, rows.tieKeys, rows.attributes, rows.codes, rows.fineCodes);
}

/**
 * The rows of a stored value; views, not copies.
 * @throws KinscanError CORRUPT_RECORD where it fails its checksum or holds rows of other widths
 */
export function unsealRows(sealed: Buffer, widths: RowWidths): RowColumns {
  return readRows(unsealValue(sealed), widths);
}

/** As unsealRows, for a body whose head was taken off. */
export function readRows(body: Buffer, widths: RowWidths): RowColumns {
  if (body.length < HEADER_BYTES) throw damaged();
  const count = (body.length - HEADER_BYTES) / bytesPerRow(widths);
  checkHeader(body, count, widths);
  return columnsIn(body.subarray(HEADER_BYTES), count, widths);
}

/** Rows in a sealed block of so many bytes. @throws KinscanError CORRUPT_RECORD where no block is that long */
export function rowsInBlock(sealedBytes: number, widths: RowWidths): number {
  const count = (sealedBytes - BLOCK_HEAD_BYTES) / bytesPerRow(widths);
  if (!Number.isInteger(count) || count <= 0) throw damaged();
  return count;
}

/**
 * Checks rows that were read to their places.
 * @param head the first BLOCK_HEAD_BYTES of their block
 * @throws KinscanError CORRUPT_RECORD where they are not what sealRows was given
 */
export function checkRows(head: Buffer, rows: RowColumns, widths: RowWidths): void {
  checkSealed(head, rows.tieKeys, rows.attributes, rows.codes, rows.fineCodes);
  checkHeader(head.subarray(SEAL_BYTES), rows.count, widths);
}

function checkHeader(header: Buffer, count: number, { codeBytes, fineCodeBytes }: RowWidths): void {
  const fits =
    header.readUInt32LE(0) === count &&
    header.readUInt16LE(4) === codeBytes &&
    header.readUInt16LE(6) === fineCodeBytes;
  if (!fits) throw damaged();
}

/** Columns for so many rows, as views of bytes. */
export function columnsIn(bytes: Uint8Array, count: number, widths: RowWidths): RowColumns {
  let at = 0;
  const take = (width: number) => bytes.subarray(at, (at += count * width));
  return {
    count,
    tieKeys: take(TIE_KEY_BYTES),
    attributes: take(ATTRIBUTES_BYTES),
    codes: take(widths.codeBytes),
    fineCodes: take(widths.fineCodeBytes),
  };
}

const NOTHING = new Uint8Array(0);

function damaged(): KinscanError {
  return new KinscanError('CORRUPT_RECORD', 'a stored block of rows is not as it was written');
}
