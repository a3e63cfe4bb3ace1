import { codeByteLength } from '../../core/code.js';
import type { PackedRows } from '../index/shard-index.js';
import type { RecordStore } from '../store/record-store.js';
import type { LiveImage } from '../store/tie-entry.js';

export interface LoadedPartition {
  readonly rows: PackedRows;
  /** Live images of other model versions: stored, never compared. */
  readonly foreignCount: number;
}

export interface LoadRules {
  readonly modelTag: bigint;
  readonly codeBits: number;
  readonly fineCodeBits: number;
}

const ROWS_FIRST = 1_024;

/** Reads the codes of a partition from the store. @throws KinscanError CORRUPT_RECORD */
export async function loadPartition(
  store: RecordStore,
  partition: number,
  rules: LoadRules,
): Promise<LoadedPartition> {
  const columns = new GrowingRows(codeByteLength(rules.codeBits), codeByteLength(rules.fineCodeBits));
  let foreignCount = 0;
  for await (const entries of store.tieEntries(partition)) {
    for (const { tieKey, states } of entries) {
      for (const { live } of states) {
        if (live === undefined) continue;
        if (live.modelTag === rules.modelTag) columns.push(tieKey, live);
        else foreignCount++;
      }
    }
  }
  return { rows: columns.packed(), foreignCount };
}

/** Columns that double when they are full. */
class GrowingRows {
  readonly #codeBytes: number;
  readonly #fineCodeBytes: number;
  #count = 0;
  #codes: Uint8Array;
  #fineCodes: Uint8Array;
  #tieKeys = new BigUint64Array(ROWS_FIRST);

  constructor(codeBytes: number, fineCodeBytes: number) {
    this.#codeBytes = codeBytes;
    this.#fineCodeBytes = fineCodeBytes;
    this.#codes = new Uint8Array(ROWS_FIRST * codeBytes);
    this.#fineCodes = new Uint8Array(ROWS_FIRST * fineCodeBytes);
  }

  push(tieKey: bigint, live: LiveImage): void {
    if (this.#count === this.#tieKeys.length) this.#grow();
    this.#tieKeys[this.#count] = tieKey;
    this.#codes.set(live.code, this.#count * this.#codeBytes);
    this.#fineCodes.set(live.fineCode, this.#count * this.#fineCodeBytes);
    this.#count++;
  }

  packed(): PackedRows {
    const count = this.#count;
    return {
      count,
      codes: this.#codes.subarray(0, count * this.#codeBytes),
      tieKeys: this.#tieKeys.subarray(0, count),
      fineCodes: this.#fineCodes.subarray(0, count * this.#fineCodeBytes),
      attributes: new Uint32Array(count),
    };
  }

  #grow(): void {
    const rows = this.#count * 2;
    const tieKeys = new BigUint64Array(rows);
    tieKeys.set(this.#tieKeys);
    this.#tieKeys = tieKeys;
    this.#codes = grown(this.#codes, rows * this.#codeBytes);
    this.#fineCodes = grown(this.#fineCodes, rows * this.#fineCodeBytes);
  }
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}
