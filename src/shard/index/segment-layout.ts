import { codeWordCount } from '../../core/code.js';
import { BLOCK_CODES, SCRATCH, SPAN_BLOCKS } from '../kernel/kernel.js';
import { chunkIdBytes, type Chunk } from './chunk-plan.js';

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
  /** How the codes of the base are cut for multi-index hashing; empty: they are scanned. */
  readonly chunks: readonly Chunk[];
  /** Rows that may be appended. */
  readonly deltaCapacity: number;
  /** Rows that may be removed. */
  readonly tombstoneCapacity: number;
  /** Attribute sets of the base's rows; 0: all rows have set 0, and the base has no columns for them. */
  readonly attributeSets: number;
  /** Attribute sets have numbers below this. */
  readonly attributeCapacity: number;
  /** Tasks that may work on the segment at once, each with its own scratch. */
  readonly slots: number;
}

/** Where the codes of the base are listed by the value of one chunk. */
export interface ChunkTable extends Chunk {
  /** u32[2 ** bits + 1] */
  readonly offsets: number;
  /** idBytes x groups; 0 for the first chunk, by which the codes are sorted */
  readonly ids: number;
}

/** Byte offsets of everything in a segment's memory; docs/search.md draws it. */
export interface SegmentLayout extends SegmentShape {
  readonly chunks: readonly ChunkTable[];
  /** {word, shift, bits, offsets, ids} u32 per chunk, for the kernel */
  readonly chunkHeads: number;
  readonly idBytes: number;
  readonly codeWords: number;
  readonly fineWords: number;
  /** u32: tombstones logged so far. */
  readonly tombstoneCount: number;
  readonly scratch: number;
  /** per slot: bitmap of the attribute sets that a query allows, filterBytes long */
  readonly filters: number;
  readonly filterBytes: number;
  /** u64[groups][codeWords], ascending */
  readonly codes: number;
  /**
   * {bits that all have, bits that any has} u64[blocks][codeWords][2] of every BLOCK_CODES codes, the last block shorter; then
   * the same of every SPAN_BLOCKS blocks
   */
  readonly blockBits: number;
  /** u32[groups + 1]: rows of group g are [starts[g], starts[g + 1]) */
  readonly starts: number;
  /** u64[baseRows], ascending within a group */
  readonly tieKeys: number;
  /** u64[baseRows][fineWords] */
  readonly fines: number;
  /** u32[baseRows]: number of the row's attribute set; 0 as an offset where attributeSets is 0 */
  readonly attributes: number;
  /** u32[baseRows]: rows ascending by (attribute set, row) */
  readonly attributeOrder: number;
  /** u32[attributeSets], ascending: the sets that occur */
  readonly attributeNumbers: number;
  /** u32[attributeSets + 1]: the rows of the i-th of them are attributeOrder[starts[i] .. starts[i + 1]) */
  readonly attributeStarts: number;
  /** one bit per row, base first, then delta: 1 where the row was removed */
  readonly deadBits: number;
  /** u32[tombstoneCapacity]: the rows in the order of their removal */
  readonly tombstoneLog: number;
  readonly deltaCodes: number;
  readonly deltaTieKeys: number;
  readonly deltaFines: number;
  /** u32[deltaCapacity] */
  readonly deltaAttributes: number;
  /** Whole WebAssembly pages of 64 KiB. */
  readonly byteLength: number;
}

const PAGE_BYTES = 65_536;
/** WebAssembly addresses 32 bits: 4 GiB. */
const PAGES_MAX = 65_536;

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
  const idBytes = chunkIdBytes(shape.groups);
  const filterBytes = Math.ceil(shape.attributeCapacity / 512) * 64;
  const hasAttributes = shape.attributeSets > 0;
  const blocks = Math.ceil(shape.groups / BLOCK_CODES);
  const layout = {
    ...shape,
    codeWords,
    fineWords,
    tombstoneCount: 0,
    scratch: take(shape.slots * SCRATCH.byteLength),
    filterBytes,
    filters: take(shape.slots * filterBytes),
    codes: take(shape.groups * codeWords * 8),
    blockBits: take((blocks + Math.ceil(blocks / SPAN_BLOCKS)) * codeWords * 16),
    starts: take(shape.grouped ? (shape.groups + 1) * 4 : 0),
    tieKeys: take(shape.baseRows * 8),
    fines: take(shape.baseRows * fineWords * 8),
    attributes: hasAttributes ? take(shape.baseRows * 4) : 0,
    attributeOrder: hasAttributes ? take(shape.baseRows * 4) : 0,
    attributeNumbers: take(shape.attributeSets * 4),
    attributeStarts: take(hasAttributes ? (shape.attributeSets + 1) * 4 : 0),
    idBytes,
    chunkHeads: take(shape.chunks.length * 20),
    chunks: shape.chunks.map((chunk, i) => ({
      ...chunk,
      offsets: take((2 ** chunk.bits + 1) * 4),
      // the kernel reads 3-byte ids as words, so one byte beyond the last is read
      ids: i === 0 ? 0 : take(shape.groups * idBytes + 1),
    })),
    deadBits: take(Math.ceil(rows / 32) * 4),
    tombstoneLog: take(shape.tombstoneCapacity * 4),
    deltaCodes: take(shape.deltaCapacity * codeWords * 8),
    deltaTieKeys: take(shape.deltaCapacity * 8),
    deltaFines: take(shape.deltaCapacity * fineWords * 8),
    deltaAttributes: take(shape.deltaCapacity * 4),
  };
  const byteLength = Math.ceil(next / PAGE_BYTES) * PAGE_BYTES;
  if (byteLength > PAGES_MAX * PAGE_BYTES) {
    throw new RangeError(`a partition of ${shape.baseRows} rows does not fit 4 GiB; use more partitions`);
  }
  return { ...layout, byteLength };
}

/** Memory for at least `byteLength` bytes: the given one, grown where it is too small, or a fresh one. */
export function memoryFor(byteLength: number, reused?: WebAssembly.Memory): WebAssembly.Memory {
  const pages = byteLength / PAGE_BYTES;
  if (reused === undefined) {
    return new WebAssembly.Memory({ initial: pages, maximum: PAGES_MAX, shared: true });
  }
  const missing = pages - reused.buffer.byteLength / PAGE_BYTES;
  if (missing > 0) reused.grow(missing);
  return reused;
}

/** Makes the parts of a segment's memory zero that are not written before they are read. */
export function clearSegment(layout: SegmentLayout, memory: WebAssembly.Memory): void {
  const bytes = new Uint8Array(memory.buffer);
  bytes.fill(0, 0, layout.scratch);
  bytes.fill(0, layout.deadBits, layout.tombstoneLog);
}
