import { assert, KinscanError } from '../../core/errors.js';
import { attributesEnd, isAlmostFull } from './attribute-capacity.js';
import { findBaseRow } from './base-lookup.js';
import { bytesEqual, copyPadded, liesAt, packedBytes } from './code-bytes.js';
import { DeltaLookup } from './delta-lookup.js';
import type { IndexChange, IndexRow, RowBytes } from './index-api.js';
import type { SegmentLayout } from './segment-layout.js';

/** Changes resolved against a segment: nothing is written yet. */
export interface ChangePlan {
  readonly adds: readonly IndexRow[];
  /** Row numbers, base first, then delta. */
  readonly removes: readonly number[];
}

/** What a search may see of a segment: the rows appended and the rows removed so far. */
export interface SegmentSnapshot {
  readonly segment: Segment;
  readonly deltaCount: number;
  readonly tombstones: number;
}

/**
 * The codes of one partition in one shared memory: an immutable base, a delta that only grows, and tombstones.
 *
 *   | scratch, filter x slots | base: codes, starts, tieKeys, fines, attributes | deadBits | tombstoneLog | delta |
 *
 * Only the main thread writes, only behind what any snapshot covers: a row is written before deltaCount covers it, a
 * tombstone is logged before its bit is set, so a search with an older snapshot can tell that it came later. Hence a
 * search needs no lock and sees all of a commit or nothing of it.
 */
export class Segment {
  readonly id: number;
  readonly layout: SegmentLayout;
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  /** The memory as 32-bit words: 64-bit columns are read as two halves, which is far cheaper than BigInt. */
  readonly words: Uint32Array;
  readonly #tieKeys: BigUint64Array;
  #lookup: DeltaLookup | undefined;
  #deltaCount = 0;
  #tombstones = 0;
  /** No row of a commit has an attribute set with this number or a larger one. */
  #attributesEnd = 1;
  #readers = 0;
  #onUnused: (() => void) | undefined;

  /** @param memory laid out as `layout` says, with a base as described and an empty delta */
  constructor(id: number, layout: SegmentLayout, memory: WebAssembly.Memory) {
    this.id = id;
    this.layout = layout;
    this.memory = memory;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.#tieKeys = new BigUint64Array(memory.buffer, layout.deltaTieKeys, layout.deltaCapacity);
  }

  get deltaCount(): number {
    return this.#deltaCount;
  }

  get tombstones(): number {
    return this.#tombstones;
  }

  get liveRows(): number {
    return this.layout.baseRows + this.#deltaCount - this.#tombstones;
  }

  /** Tells that a task reads the segment; every retain() needs its release(). */
  retain(): void {
    this.#readers++;
  }

  release(): void {
    this.#readers--;
    if (this.#readers === 0) this.#onUnused?.();
  }

  /** No new reader will come; calls back once the last one has gone, which may be at once. */
  retire(onUnused: () => void): void {
    if (this.#readers === 0) onUnused();
    else this.#onUnused = onUnused;
  }

  /** The dead bits as they are now, for a rebuild. */
  copyDeadBits(): Uint32Array {
    const { deadBits, tombstoneLog } = this.layout;
    return this.words.slice(deadBits / 4, tombstoneLog / 4);
  }

  snapshot(): SegmentSnapshot {
    return { segment: this, deltaCount: this.#deltaCount, tombstones: this.#tombstones };
  }

  hasRoomFor({ adds, removes }: ChangePlan): boolean {
    return (
      this.#deltaCount + adds.length <= this.layout.deltaCapacity &&
      this.#tombstones + removes.length <= this.layout.tombstoneCapacity &&
      adds.every((row) => row.attributes < this.layout.attributeCapacity)
    );
  }

  /** Time to rebuild: what is left must last until the rebuild is done. */
  isHalfFull(): boolean {
    const { deltaCapacity, tombstoneCapacity, attributeCapacity } = this.layout;
    return (
      this.#deltaCount * 2 > deltaCapacity ||
      this.#tombstones * 2 > tombstoneCapacity ||
      isAlmostFull(this.#attributesEnd, attributeCapacity)
    );
  }

  /** The memory of rows of the delta; undefined where there is no room for them, or their codes lie padded. */
  placeOf(first: number, count: number): RowBytes | undefined {
    const { codeBits, fineCodeBits, codeWords, fineWords, ...at } = this.layout;
    const [codeBytes, fineBytes] = [codeWords * 8, fineWords * 8];
    if (packedBytes(codeBits) !== codeBytes || packedBytes(fineCodeBits) !== fineBytes) return undefined;
    if (first + count > at.deltaCapacity) return undefined;
    const column = (from: number, width: number) =>
      this.bytes.subarray(from + first * width, from + (first + count) * width);
    return {
      count,
      tieKeys: column(at.deltaTieKeys, 8),
      attributes: column(at.deltaAttributes, 4),
      codes: column(at.deltaCodes, codeBytes),
      fineCodes: column(at.deltaFines, fineBytes),
    };
  }

  /**
   * Appends many rows at once, in bulk copies of what is not in its placeOf(). The segment was laid out for their number.
   * @returns one more than the largest number of their attribute sets
   */
  appendPacked(rows: RowBytes): number {
    const { layout } = this;
    const first = this.#deltaCount;
    assert(first + rows.count <= layout.deltaCapacity, 'the delta has no room for these rows');
    copyPadded(
      this.bytes,
      layout.deltaCodes + first * layout.codeWords * 8,
      layout.codeWords * 8,
      rows.codes,
      rows.count,
    );
    copyPadded(
      this.bytes,
      layout.deltaFines + first * layout.fineWords * 8,
      layout.fineWords * 8,
      rows.fineCodes,
      rows.count,
    );
    copyPadded(this.bytes, layout.deltaTieKeys + first * 8, 8, rows.tieKeys, rows.count);
    this.#setAttributes(first, rows);
    this.#deltaCount += rows.count;
    this.#lookup = undefined;
    const attributesAt = layout.deltaAttributes / 4 + first;
    return attributesEnd(this.words.subarray(attributesAt, attributesAt + rows.count));
  }

  /**
   * Finds the rows to remove; adds that are removed again by the same changes vanish from both lists.
   * @throws KinscanError INTERNAL where a row to remove is not there
   */
  plan(changes: readonly IndexChange[]): ChangePlan {
    const adds: (IndexRow | undefined)[] = [];
    const addsByKey = new Map<bigint, number[]>();
    const removes = new Set<number>();
    for (const change of changes) {
      if (change.kind === 'add') {
        const { tieKey } = change.row;
        const same = addsByKey.get(tieKey);
        if (same === undefined) addsByKey.set(tieKey, [adds.length]);
        else same.push(adds.length);
        adds.push(change.row);
        continue;
      }
      const own = addsByKey
        .get(change.tieKey)
        ?.findLast((i) => adds[i] !== undefined && sameRow(adds[i], change));
      if (own !== undefined) {
        adds[own] = undefined;
        continue;
      }
      const row = this.#find(change, removes);
      if (row === undefined) throw new KinscanError('INTERNAL', 'a row to remove is not in the index');
      removes.add(row);
    }
    return { adds: adds.filter((row) => row !== undefined), removes: [...removes] };
  }

  /** Writes planned changes; the snapshots from now on see all of them. */
  commit(plan: ChangePlan): void {
    assert(this.hasRoomFor(plan), 'the segment has no room for these changes');
    for (const row of plan.adds) this.#append(row);
    const { layout, words } = this;
    for (const row of plan.removes) {
      words[layout.tombstoneLog / 4 + this.#tombstones] = row;
      this.#tombstones++;
    }
    Atomics.store(words, layout.tombstoneCount / 4, this.#tombstones);
    for (const row of plan.removes) {
      Atomics.or(words, layout.deadBits / 4 + (row >>> 5), 1 << (row & 31));
      const deltaRow = row - layout.baseRows;
      if (deltaRow >= 0) this.#lookup?.remove(this.#tieKeyLow(deltaRow), deltaRow);
    }
  }

  isDead(row: number): boolean {
    return ((this.words[this.layout.deadBits / 4 + (row >>> 5)] as number) & (1 << (row & 31))) !== 0;
  }

  // Zeros that are there are not written, so that where no row has attributes the column's memory is never touched.
  #setAttributes(first: number, { attributes }: RowBytes): void {
    const at = this.layout.deltaAttributes + first * 4;
    if (liesAt(this.bytes, at, attributes)) return;
    let same = 0;
    while (same < attributes.length && this.bytes[at + same] === attributes[same]) same++;
    this.bytes.set(attributes.subarray(same), at + same);
  }

  #append(row: IndexRow): void {
    const { layout } = this;
    const at = this.#deltaCount;
    const codeBytes = layout.codeWords * 8;
    const fineBytes = layout.fineWords * 8;
    copyPadded(this.bytes, layout.deltaCodes + at * codeBytes, codeBytes, row.code, 1);
    copyPadded(this.bytes, layout.deltaFines + at * fineBytes, fineBytes, row.fineCode, 1);
    this.#tieKeys[at] = row.tieKey;
    this.words[layout.deltaAttributes / 4 + at] = row.attributes;
    this.#attributesEnd = Math.max(this.#attributesEnd, row.attributes + 1);
    this.#deltaCount++;
    this.#lookup?.add(this.#tieKeyLow(at), at);
  }

  #tieKeyLow(deltaRow: number): number {
    return this.words[this.layout.deltaTieKeys / 4 + deltaRow * 2] as number;
  }

  // A live row with this identity that is not in `taken`.
  #find(row: IndexRow, taken: ReadonlySet<number>): number | undefined {
    const base = findBaseRow(this, row, taken);
    if (base !== undefined) return base;
    const { layout } = this;
    if (this.#lookup === undefined) {
      this.#lookup = new DeltaLookup(layout.deltaCapacity);
      for (let i = 0; i < this.#deltaCount; i++) {
        if (!this.isDead(layout.baseRows + i)) this.#lookup.add(this.#tieKeyLow(i), i);
      }
    }
    const found = this.#lookup.find(Number(row.tieKey & 0xffff_ffffn), (i) => {
      return (
        this.#tieKeys[i] === row.tieKey &&
        this.words[layout.deltaAttributes / 4 + i] === row.attributes &&
        bytesEqual(this.bytes, layout.deltaCodes + i * layout.codeWords * 8, row.code) &&
        bytesEqual(this.bytes, layout.deltaFines + i * layout.fineWords * 8, row.fineCode) &&
        !taken.has(layout.baseRows + i)
      );
    });
    return found === undefined ? undefined : layout.baseRows + found;
  }
}

// Whether the rows are one; their tie keys are known to be.
function sameRow(a: IndexRow | undefined, b: IndexRow): boolean {
  return (
    a !== undefined &&
    a.attributes === b.attributes &&
    bytesEqual(a.code, 0, b.code) &&
    bytesEqual(a.fineCode, 0, b.fineCode)
  );
}
