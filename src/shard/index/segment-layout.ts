import { codeWordCount } from '../../core/code.js';
import { SCRATCH } from '../kernel/kernel.js';

/** What decides where things lie in a segment's memory. */
export interface SegmentShape {
  readonly codeBits: number;
  /** 0: no fine codes. */
  readonly fineCodeBits: number;
  /** Rows of the immutable base. */
  readonly baseRows: number;
  /** Codes of the base: distinct ones where `grouped`, else one per row. */
  readonly groups: number;
  /** Whether a `starts` column maps a code to its rows. */
  readonly grouped: boolean;
  /** Rows that may be appended. */
  readonly deltaCapacity: number;
  /** Rows that may be removed. */
  readonly tombstoneCapacity: number;
  /** Tasks that may work on the segment at once, each with its own scratch. */
  readonly slots: number;
}

/** Byte offsets of everything in a segment's memory; docs/search.md draws it. */
export interface SegmentLayout extends SegmentShape {
  readonly codeWords: number;
  readonly fineWords: number;
  /** u32: tombstones logged so far. */
  readonly tombstoneCount: number;
  readonly scratch: number;
  /** u64[groups][codeWords], ascending */
  readonly codes: number;
  /** u32[groups + 1]: rows of group g are [starts[g], starts[g + 1]) */
  readonly starts: number;
  /** u64[baseRows], ascending within a group */
  readonly tieKeys: number;
  /** u64[baseRows][fineWords] */
  readonly fines: number;
  /** one bit per row, base first, then delta: 1 where the row was removed */
  readonly deadBits: number;
  /** u32[tombstoneCapacity]: the rows in the order of their removal */
  readonly tombstoneLog: number;
  readonly deltaCodes: number;
  readonly deltaTieKeys: number;
  readonly deltaFines: number;
  /** Whole WebAssembly pages of 64 KiB. */
  readonly byteLength: number;
}

const PAGE_BYTES = 65_536;
/** WebAssembly addresses 32 bits. */
const MEMORY_BYTES_MAX = 65_536 * PAGE_BYTES;

/** @throws RangeError where the segment would not fit the 4 GiB of one WebAssembly memory */
export function layOutSegment(shape: SegmentShape): SegmentLayout {
  let next = 64;
  const take = (byteLength: number): number => {
    const at = next;
    next = Math.ceil((next + byteLength) / 64) * 64;
    return at;
  };
  const codeWords = codeWordCount(shape.codeBits);
  const fineWords = codeWordCount(shape.fineCodeBits);
  const rows = shape.baseRows + shape.deltaCapacity;
  const layout = {
    ...shape,
    codeWords,
    fineWords,
    tombstoneCount: 0,
    scratch: take(shape.slots * SCRATCH.byteLength),
    codes: take(shape.groups * codeWords * 8),
    starts: take(shape.grouped ? (shape.groups + 1) * 4 : 0),
    tieKeys: take(shape.baseRows * 8),
    fines: take(shape.baseRows * fineWords * 8),
    deadBits: take(Math.ceil(rows / 32) * 4),
    tombstoneLog: take(shape.tombstoneCapacity * 4),
    deltaCodes: take(shape.deltaCapacity * codeWords * 8),
    deltaTieKeys: take(shape.deltaCapacity * 8),
    deltaFines: take(shape.deltaCapacity * fineWords * 8),
  };
  const byteLength = Math.ceil(next / PAGE_BYTES) * PAGE_BYTES;
  if (byteLength > MEMORY_BYTES_MAX) {
    throw new RangeError(`a partition of ${shape.baseRows} rows does not fit 4 GiB; use more partitions`);
  }
  return { ...layout, byteLength };
}

/** Fresh, zeroed memory for a segment; pages take no RAM before they are written. */
export function allocateSegment(layout: SegmentLayout): WebAssembly.Memory {
  const pages = layout.byteLength / PAGE_BYTES;
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}
