import { SCRATCH } from '../kernel/kernel.js';
import { beginSearch, carryCounts, type PreparedQuery, type SegmentView } from './segment-reader.js';

/**
 * The exact first k of all views together, in canonical order: 16 bytes per answer, as SearchTaskResult.entries.
 *
 * 1. Every segment counts rows per distance and keeps the candidates within the threshold; the counts travel from one
 *    segment to the next, so after the last the threshold is exact for all of them.
 * 2. Every segment ranks its candidates into a heap of k; the heap travels likewise.
 */
export function searchSegments(views: readonly SegmentView[], query: PreparedQuery): Uint8Array {
  let previous: SegmentView | undefined;
  for (const view of views) {
    beginSearch(view, query);
    if (previous !== undefined) carryCounts(previous, view);
    view.reader.kernel.scanBase(view.s);
    view.reader.kernel.scanDelta(view.s, 0, view.deltaCount);
    previous = view;
  }
  return rankSegments(views);
}

// Ranks the candidates of all views; the threshold of the last view is that of all.
function rankSegments(views: readonly SegmentView[]): Uint8Array {
  const last = views.at(-1);
  if (last === undefined) return new Uint8Array(0);
  const thr = last.reader.words[(last.s + SCRATCH.thr) >>> 2] as number;
  let heap: Uint8Array = new Uint8Array(0);
  for (const view of views) {
    const { kernel, words, bytes } = view.reader;
    words[(view.s + SCRATCH.thr) >>> 2] = thr;
    if (heap.length > 0) {
      bytes.set(heap, view.s + SCRATCH.carry);
      kernel.absorb(view.s, heap.length / 16);
    }
    kernel.rank(view.s);
    heap = heapBytes(view);
  }
  last.reader.kernel.sortHeap(last.s);
  return heapBytes(last).slice();
}

function heapBytes({ reader, s }: SegmentView): Uint8Array {
  const count = reader.words[(s + SCRATCH.heapCount) >>> 2] as number;
  return reader.bytes.subarray(s + SCRATCH.heap, s + SCRATCH.heap + count * 16);
}
