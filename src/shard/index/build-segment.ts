import { attributeCapacityFor } from './attribute-capacity.js';
import { writeBlockBits } from './block-bits.js';
import { attributesOf, writeAttributes, type SortedAttributes } from './build-attributes.js';
import { planChunks } from './chunk-plan.js';
import { bitsOf } from './code-sample.js';
import { codeFinder, mergeOrder, type FrozenSegment, type MergedOrder } from './merge-order.js';
import { sampleCodes } from './sample-codes.js';
import { scratchWords } from './scratch-words.js';
import {
  clearSegment,
  layOutSegment,
  memoryFor,
  type ChunkTable,
  type SegmentLayout,
} from './segment-layout.js';

/** What a rebuilt segment needs room for. */
export interface BuildRequest {
  readonly source: FrozenSegment;
  /** Written over and grown as needed; nobody else may use it. */
  readonly memory: WebAssembly.Memory;
  /** Room for at least this many appended rows, removed rows and attribute sets. */
  readonly deltaCapacityMin: number;
  readonly tombstoneCapacityMin: number;
  readonly attributeCapacityMin: number;
  readonly deltaRowsMin: number;
  readonly tableCodesMin: number;
}

/** Up to this share of repeated codes the base keeps one code per row and no `starts`: smaller, and as fast. */
const REPEATED_SHARE_MAX = 1 / 16;
/** What a small partition may append before it is rebuilt. */
export const DELTA_ROWS_MIN = 16_384;
const DELTA_ROWS_MAX = 200_000;

/**
 * Builds a segment whose base holds all live rows of `source`, with an empty delta, in `memory`.
 * Runs on the build thread while the source is searched and appended to: it reads only what the source's snapshot
 * covers, and that never changes.
 */
export function buildSegment(request: BuildRequest): SegmentLayout {
  const { source, memory } = request;
  const merged = mergeOrder(source);
  const attributes = attributesOf(source, merged.order);
  const layout = layOutSegment(shapeOf(request, merged, attributes));
  memoryFor(layout.byteLength, memory);
  clearSegment(layout, memory);
  const words = new Uint32Array(memory.buffer);
  writeRows(source, merged, layout, words);
  if (attributes !== undefined) writeAttributes(attributes, layout, words);
  for (const chunk of layout.chunks) writeChunkTable(chunk, layout, words, new Uint8Array(memory.buffer));
  layout.chunks.forEach(({ word, shift, bits, offsets, ids }, i) => {
    words.set([word, shift, bits, offsets, ids], layout.chunkHeads / 4 + i * 5);
  });
  return layout;
}

/** Rows that may be appended to a base of this size before it is rebuilt: a sixteenth, within bounds. */
export function deltaRowsFor(baseRows: number, rowsMin: number): number {
  return Math.min(DELTA_ROWS_MAX, Math.max(rowsMin, Math.ceil(baseRows / 16)));
}

function shapeOf(
  { source, ...request }: BuildRequest,
  merged: MergedOrder,
  attributes: SortedAttributes | undefined,
) {
  const { order, starts } = merged;
  const { codeBits, fineCodeBits, codeWords, fineWords, slots } = source.layout;
  const baseRows = order.length;
  const grouped = baseRows - starts.length > starts.length * REPEATED_SHARE_MAX;
  const groups = grouped ? starts.length : baseRows;
  const spareRows = deltaRowsFor(baseRows, request.deltaRowsMin);
  return {
    codeBits,
    fineCodeBits,
    slots,
    baseRows,
    groups,
    grouped,
    chunks: planChunks({
      codeBits,
      codes: groups,
      rowBytes: baseRows * (codeWords + 1 + fineWords) * 8,
      codesMin: request.tableCodesMin,
      sample: () => sampleCodes(source, merged, grouped),
    }),
    deltaCapacity: Math.max(spareRows, request.deltaCapacityMin),
    tombstoneCapacity: Math.max(spareRows, request.tombstoneCapacityMin),
    attributeSets: attributes?.numbers.length ?? 0,
    attributeCapacity: Math.max(
      attributeCapacityFor((attributes?.numbers.at(-1) ?? 0) + 1),
      request.attributeCapacityMin,
    ),
  };
}

function writeRows(
  source: FrozenSegment,
  { order, starts }: MergedOrder,
  layout: SegmentLayout,
  words: Uint32Array,
): void {
  const from = source.layout;
  const gather = (
    target: number,
    base: number,
    delta: number,
    width: number,
    rows: ArrayLike<number>,
  ): void => {
    gatherWords(source, { words, target: target / 4, base: base / 4, delta: delta / 4, width }, rows);
  };
  gather(layout.tieKeys, from.tieKeys, from.deltaTieKeys, 2, order);
  if (layout.fineWords > 0) gather(layout.fines, from.fines, from.deltaFines, layout.fineWords * 2, order);
  if (layout.grouped) {
    words.set(starts, layout.starts / 4);
    words[layout.starts / 4 + layout.groups] = layout.baseRows;
  }
  const firstRows = layout.grouped ? starts : undefined;
  const stride = layout.codeWords * 2;
  const codeOf = codeFinder(source);
  let target = layout.codes / 4;
  for (let group = 0; group < layout.groups; group++, target += stride) {
    const at = codeOf(order[firstRows === undefined ? group : (firstRows[group] as number)] as number);
    for (let w = 0; w < stride; w++) words[target + w] = source.words[at + w] as number;
  }
  writeBlockBits(layout, words);
}

interface Gather {
  /** of the new segment */
  readonly words: Uint32Array;
  /** word offsets of the column: in the new segment, in the source's base, in the source's delta */
  readonly target: number;
  readonly base: number;
  readonly delta: number;
  /** words per row */
  readonly width: number;
}

function gatherWords(
  source: FrozenSegment,
  { words, target, base, delta, width }: Gather,
  rows: ArrayLike<number>,
): void {
  const { baseRows } = source.layout;
  const from = source.words;
  for (let i = 0, to = target; i < rows.length; i++) {
    const row = rows[i] as number;
    const at = row < baseRows ? base + row * width : delta + (row - baseRows) * width;
    for (let w = 0; w < width; w++) words[to++] = from[at + w] as number;
  }
}

// Lists the codes by the value of one chunk: a counting sort.
function writeChunkTable(
  chunk: ChunkTable,
  layout: SegmentLayout,
  words: Uint32Array,
  bytes: Uint8Array,
): void {
  const { groups, idBytes } = layout;
  const values = chunkValues(chunk, layout, words);
  const offsets = words.subarray(chunk.offsets / 4, chunk.offsets / 4 + 2 ** chunk.bits + 1);
  offsets.fill(0);
  for (let group = 0; group < groups; group++) {
    const above = (values[group] as number) + 1;
    offsets[above] = (offsets[above] as number) + 1;
  }
  for (let value = 1; value < offsets.length; value++) {
    offsets[value] = (offsets[value] as number) + (offsets[value - 1] as number);
  }
  if (chunk.ids === 0) return;
  const next = offsets.slice(0, -1);
  for (let group = 0; group < groups; group++) {
    const value = values[group] as number;
    const position = next[value] as number;
    next[value] = position + 1;
    const at = chunk.ids + position * idBytes;
    bytes[at] = group;
    bytes[at + 1] = group >>> 8;
    bytes[at + 2] = group >>> 16;
    if (idBytes === 4) bytes[at + 3] = group >>> 24;
  }
}

function chunkValues(
  { word, shift, bits }: ChunkTable,
  layout: SegmentLayout,
  words: Uint32Array,
): Uint32Array {
  const stride = layout.codeWords * 2;
  const values = scratchWords('chunk values', layout.groups);
  for (let group = 0, at = layout.codes / 4 + word * 2; group < layout.groups; group++, at += stride) {
    values[group] = bitsOf(words[at] as number, words[at + 1] as number, shift, bits);
  }
  return values;
}
