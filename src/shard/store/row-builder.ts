import type { RowColumns, RowWidths } from './row-block.js';

/** Takes runs of rows, one after the other. */
export interface RowSink {
  /** Rows `from` to below `to` of `source`. */
  append(source: RowColumns, from: number, to: number): void;
}

/** One row, as an index and a tie entry have it. */
export interface StoredRow {
  /** Unsigned 64-bit hash of the image id. */
  readonly tieKey: bigint;
  readonly code: Uint8Array;
  readonly fineCode: Uint8Array;
  /** Number of its attribute set. */
  readonly attributes: number;
}

/** Collects rows in columns that double when they are full. */
export class RowBuilder implements RowSink {
  readonly #widths: RowWidths;
  #count = 0;
  #capacity: number;
  #tieKeys: BigUint64Array<ArrayBuffer>;
  #attributes: Uint32Array<ArrayBuffer>;
  #tieKeyBytes: Uint8Array;
  #attributeBytes: Uint8Array;
  #codes: Uint8Array;
  #fineCodes: Uint8Array;

  /** @param capacity rows that are expected */
  constructor(widths: RowWidths, capacity: number) {
    this.#widths = widths;
    this.#capacity = Math.max(1, capacity);
    this.#tieKeys = new BigUint64Array(this.#capacity);
    this.#attributes = new Uint32Array(this.#capacity);
    this.#tieKeyBytes = new Uint8Array(this.#tieKeys.buffer);
    this.#attributeBytes = new Uint8Array(this.#attributes.buffer);
    this.#codes = new Uint8Array(this.#capacity * widths.codeBytes);
    this.#fineCodes = new Uint8Array(this.#capacity * widths.fineCodeBytes);
  }

  get count(): number {
    return this.#count;
  }

  append(source: RowColumns, from: number, to: number): void {
    const { codeBytes, fineCodeBytes } = this.#widths;
    this.#reserve(to - from);
    copyRows(this.#tieKeyBytes, this.#count, source.tieKeys, from, to, 8);
    copyRows(this.#attributeBytes, this.#count, source.attributes, from, to, 4);
    copyRows(this.#codes, this.#count, source.codes, from, to, codeBytes);
    copyRows(this.#fineCodes, this.#count, source.fineCodes, from, to, fineCodeBytes);
    this.#count += to - from;
  }

  push(row: StoredRow): void {
    this.#reserve(1);
    this.#tieKeys[this.#count] = row.tieKey;
    this.#attributes[this.#count] = row.attributes;
    this.#codes.set(row.code, this.#count * this.#widths.codeBytes);
    this.#fineCodes.set(row.fineCode, this.#count * this.#widths.fineCodeBytes);
    this.#count++;
  }

  /** What was collected, as views; good until the next row or clear(). */
  columns(): RowColumns {
    const { codeBytes, fineCodeBytes } = this.#widths;
    const count = this.#count;
    return {
      count,
      tieKeys: this.#tieKeyBytes.subarray(0, count * 8),
      attributes: this.#attributeBytes.subarray(0, count * 4),
      codes: this.#codes.subarray(0, count * codeBytes),
      fineCodes: this.#fineCodes.subarray(0, count * fineCodeBytes),
    };
  }

  /** The same as the index takes them. */
  packed() {
    const { codes, fineCodes } = this.columns();
    const count = this.#count;
    return {
      count,
      codes,
      fineCodes,
      tieKeys: this.#tieKeys.subarray(0, count),
      attributes: this.#attributes.subarray(0, count),
    };
  }

  clear(): void {
    this.#count = 0;
  }

  #reserve(rows: number): void {
    if (this.#count + rows <= this.#capacity) return;
    const larger = new RowBuilder(this.#widths, Math.max(this.#count + rows, this.#capacity * 2));
    larger.append(this.columns(), 0, this.#count);
    this.#capacity = larger.#capacity;
    this.#tieKeys = larger.#tieKeys;
    this.#attributes = larger.#attributes;
    this.#tieKeyBytes = larger.#tieKeyBytes;
    this.#attributeBytes = larger.#attributeBytes;
    this.#codes = larger.#codes;
    this.#fineCodes = larger.#fineCodes;
  }
}

/** Up to so many bytes a loop is quicker than a view and a copy. */
const LOOP_BYTES_MAX = 64;

function copyRows(
  target: Uint8Array,
  row: number,
  source: Uint8Array,
  from: number,
  to: number,
  width: number,
): void {
  const bytes = (to - from) * width;
  let at = row * width;
  if (bytes > LOOP_BYTES_MAX) {
    target.set(source.subarray(from * width, to * width), at);
    return;
  }
  for (let i = from * width; i < to * width; i++) target[at++] = source[i] as number;
}
