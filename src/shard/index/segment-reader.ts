import { instantiateKernel, SCRATCH, type KernelExports } from '../kernel/kernel.js';
import type { AllowedSets } from './allowed-sets.js';
import type { QueryRules } from './query-params.js';
import type { SegmentDescriptor } from './search-task.js';
import type { SegmentLayout } from './segment-layout.js';

/** A worker's own kernel on one segment, with views of its memory. */
export class SegmentReader {
  readonly partition: number;
  readonly segmentId: number;
  readonly layout: SegmentLayout;
  readonly kernel: KernelExports;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;

  constructor(module: WebAssembly.Module, descriptor: SegmentDescriptor) {
    const { layout, memory } = descriptor;
    this.partition = descriptor.partition;
    this.segmentId = descriptor.segmentId;
    this.layout = layout;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.kernel = instantiateKernel(module, memory);
    this.kernel.configure(
      layout.codeWords,
      layout.fineWords,
      layout.baseRows,
      layout.groups,
      layout.grouped ? 1 : 0,
      layout.codes,
      layout.blockBits,
      layout.starts,
      layout.tieKeys,
      layout.fines,
      layout.deadBits,
      layout.tombstoneLog,
      layout.tombstoneCount,
      layout.deltaCodes,
      layout.deltaTieKeys,
      layout.deltaFines,
      layout.chunks.length,
      layout.chunkHeads,
      layout.idBytes,
      layout.attributes,
      layout.attributeOrder,
      layout.deltaAttributes,
    );
  }

  /** Byte offset of a slot's scratch. */
  scratch(slot: number): number {
    return this.layout.scratch + slot * SCRATCH.byteLength;
  }

  /** Byte offset of a slot's filter. */
  filter(slot: number): number {
    return this.layout.filters + slot * this.layout.filterBytes;
  }
}

/** One segment as one query sees it: which rows exist, which were removed, and where to work. */
export interface SegmentView {
  readonly reader: SegmentReader;
  readonly s: number;
  /** Byte offset of the filter of the same slot. */
  readonly filter: number;
  readonly deltaCount: number;
  readonly tombstones: number;
}

/** A query as the kernel wants it. */
export interface PreparedQuery extends QueryRules {
  /** Zero-padded to whole words. */
  readonly code: Uint8Array;
  readonly fineCode: Uint8Array;
}

/** Writes the query to a segment's scratch and starts it there. */
export function beginSearch(view: SegmentView, query: PreparedQuery): void {
  const { reader, s } = view;
  reader.bytes.set(query.code, s + SCRATCH.query);
  reader.bytes.set(query.fineCode, s + SCRATCH.fineQuery);
  const { after } = query;
  reader.words[(s + SCRATCH.afterKey) / 4] = after === undefined ? 0 : Number(after.tieKey & 0xffff_ffffn);
  reader.words[(s + SCRATCH.afterKey) / 4 + 1] = after === undefined ? 0 : Number(after.tieKey >> 32n);
  if (query.allowed !== undefined) writeFilter(view, query.allowed);
  reader.kernel.begin(
    s,
    query.k,
    query.maxDistance,
    view.tombstones,
    query.fine ? 1 : 0,
    reader.partition,
    query.allowed === undefined ? 0 : view.filter,
    after === undefined ? 0 : after.distance * 65_536 + after.fineDistance,
    after === undefined ? 0 : after.distance + 1,
  );
}

// The bitmap, cut to the sets that rows of this segment may have, or filled up with sets that are not allowed.
function writeFilter({ reader, filter }: SegmentView, { bitmap }: AllowedSets): void {
  const words = reader.words.subarray(filter / 4, (filter + reader.layout.filterBytes) / 4);
  words.set(bitmap.subarray(0, words.length));
  words.fill(0, bitmap.length);
}

/** Takes over from another segment what was counted so far, so that the threshold is that of both together. */
export function carryCounts(from: SegmentView, to: SegmentView): void {
  const source = from.reader.bytes.subarray(from.s + SCRATCH.hist, from.s + SCRATCH.hist + SCRATCH.histBytes);
  to.reader.bytes.set(source, to.s + SCRATCH.hist);
  for (const field of [SCRATCH.thr, SCRATCH.total]) {
    to.reader.words[(to.s + field) >>> 2] = from.reader.words[(from.s + field) >>> 2] as number;
  }
}
