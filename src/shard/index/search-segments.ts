import { BLOCK_CODES, SCRATCH } from '../kernel/kernel.js';
import { FilterPlan } from './filter-plan.js';
import type { IndexPlace } from './index-api.js';
import { isProbingWorth, ProbeProgress, type ProbeMode, type ProbeStep } from './probe-plan.js';
import { beginSearch, carryCounts, type PreparedQuery, type SegmentView } from './segment-reader.js';

export interface SegmentsAnswer {
  /** 16 bytes per answer, as SearchTaskResult.entries. */
  readonly entries: Uint8Array;
  /** Codes and delta rows that were compared with the query. */
  readonly visited: number;
}

const NO_ANSWERS: SegmentsAnswer = { entries: new Uint8Array(0), visited: 0 };

/**
 * The exact first k of all views together, in canonical order.
 *
 * 1. Counting. Every segment counts rows per distance and keeps as candidates what lies within the threshold. The
 *    counts travel from segment to segment, so the threshold is always that of everything counted so far. Deltas and
 *    bases without tables are scanned; the other bases are probed in rounds, then scanned where probing does not pay.
 *    Of a base of which a filter allows few rows, just these are compared.
 * 2. Ranking. Every segment ranks its candidates into a heap of k; the heap travels likewise.
 */
export function searchSegments(
  views: readonly SegmentView[],
  query: PreparedQuery,
  mode: ProbeMode = 'auto',
): SegmentsAnswer {
  if (query.allowed?.count === 0) return NO_ANSWERS;
  const counting = new Counting();
  const plan = query.allowed && new FilterPlan(query.allowed, query.k, mode);
  const probed: SegmentView[] = [];
  const scanned: SegmentView[] = [];
  let visited = 0;
  for (const view of views) {
    beginSearch(view, query);
    counting.moveTo(view);
    if (view.deltaCount > 0) view.reader.kernel.scanDelta(view.s, 0, view.deltaCount);
    visited += view.deltaCount;
    const listed = plan?.rowsToList(view.reader.layout, view.reader.words);
    if (listed !== undefined) {
      visited += listRows(view, listed);
      continue;
    }
    const blocks = hasBlocks(view, mode);
    if (isProbed(view, mode)) probed.push(view);
    else if (blocks) scanned.push(view);
    else visited += scanBase(view, mode); // nothing is passed over, so a lower threshold need not be waited for
    if (blocks) view.reader.kernel.scanHome(view.s);
  }
  for (const view of scanned) {
    counting.moveTo(view);
    visited += scanBase(view, mode);
  }
  visited += probeInRounds(probed, counting, query.k, mode);
  return { entries: rankSegments(views, counting.threshold(), query.after), visited };
}

function isProbed(view: SegmentView, mode: ProbeMode): boolean {
  return view.reader.layout.chunks.length > 0 && mode !== 'never';
}

/** The counts per distance, which lie in one segment's scratch at a time. */
class Counting {
  #at: SegmentView | undefined;

  moveTo(view: SegmentView): void {
    if (this.#at !== undefined && this.#at !== view) carryCounts(this.#at, view);
    this.#at = view;
  }

  /** Rows counted so far, by distance. */
  counts(): Uint32Array {
    const { reader, s } = this.#at as SegmentView;
    return reader.words.subarray((s + SCRATCH.hist) >>> 2, (s + SCRATCH.hist + SCRATCH.histBytes) >>> 2);
  }

  /** Rows farther than this are not in the answer. */
  threshold(): number {
    return this.#at === undefined ? 0 : (this.#at.reader.words[(this.#at.s + SCRATCH.thr) >>> 2] as number);
  }
}

// Each round probes each unfinished segment once; a segment is finished when its unseen codes are all too far.
// Returns how many codes were compared.
function probeInRounds(
  views: readonly SegmentView[],
  counting: Counting,
  k: number,
  mode: ProbeMode,
): number {
  let unfinished = views.map((view) => new ProbeProgress(view));
  const scanNs = unfinished.reduce((sum, progress) => {
    counting.moveTo(progress.view);
    return sum + progress.scanCostNs();
  }, 0);
  let spentNs = 0;
  let visited = 0;
  while (unfinished.length > 0) {
    const steps = unfinished.map((progress) => progress.nextStep());
    const nextNs = steps.reduce((sum, step) => sum + (step?.costNs ?? 0), 0);
    const restNs = (limitNs: number): number => {
      const threshold = (unfinished[0] as ProbeProgress).expectedThreshold(
        counting.counts(),
        k,
        counting.threshold(),
      );
      let sum = 0;
      for (const progress of unfinished)
        if (sum <= limitNs) sum += progress.costToReachNs(threshold, limitNs);
      return sum;
    };
    if (mode === 'auto' && !isProbingWorth(spentNs, nextNs, restNs, scanNs)) break;
    spentNs += nextNs;
    visited += steps.reduce((sum, step) => sum + (step?.candidates ?? 0), 0);
    unfinished = unfinished.filter((progress, i) => runStep(progress, steps[i], counting));
  }
  for (const { view } of unfinished) {
    counting.moveTo(view);
    visited += scanBase(view, mode);
  }
  return visited;
}

/** Whether blocks of codes are passed over that are too far; one block alone is scanned as it is. */
function hasBlocks({ reader }: SegmentView, mode: ProbeMode): boolean {
  return mode !== 'never' && reader.layout.groups > BLOCK_CODES;
}

// Scans the codes of the base; how many they are.
function scanBase(view: SegmentView, mode: ProbeMode): number {
  const { reader, s } = view;
  if (hasBlocks(view, mode)) return reader.kernel.scanNear(s) * BLOCK_CODES;
  reader.kernel.scanBase(s);
  return reader.layout.groups;
}

// Compares the rows in these ranges of the attribute order; how many they are.
function listRows({ reader, s }: SegmentView, ranges: readonly number[]): number {
  let rows = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    const from = ranges[i] as number;
    const to = ranges[i + 1] as number;
    reader.kernel.listRows(s, from, to);
    rows += to - from;
  }
  return rows;
}

// Runs a step where it is still needed; whether the segment needs more.
function runStep(progress: ProbeProgress, step: ProbeStep | undefined, counting: Counting): boolean {
  if (step === undefined || progress.boundBits > counting.threshold()) return false;
  counting.moveTo(progress.view);
  progress.run(step);
  return progress.boundBits <= counting.threshold();
}

// The candidates at the cursor's distance are ranked first, in all segments: they were not counted (threshold.ts), and
// where they fill the heap, what is farther need not be ranked at all.
function rankSegments(
  views: readonly SegmentView[],
  threshold: number,
  after: IndexPlace | undefined,
): Uint8Array {
  const heap = new TravellingHeap();
  const ranked = views.filter(hasCandidates);
  for (const view of ranked) view.reader.words[(view.s + SCRATCH.thr) >>> 2] = threshold;
  const limits =
    after !== undefined && after.distance < threshold ? [after.distance, threshold] : [threshold];
  for (const limit of limits) {
    for (const view of ranked) {
      heap.moveTo(view);
      view.reader.kernel.rank(view.s, limit);
    }
  }
  return heap.sorted();
}

/** Whether it kept candidates, or ranked some already. */
function hasCandidates({ reader, s }: SegmentView): boolean {
  return (
    reader.words[(s + SCRATCH.candidateCount) >>> 2] !== 0 ||
    reader.words[(s + SCRATCH.heapCount) >>> 2] !== 0
  );
}

/** The best k so far. Every segment has a heap of its own, from what it ranked while counting; this one takes it in. */
class TravellingHeap {
  #at: SegmentView | undefined;

  moveTo(view: SegmentView): void {
    const from = this.#at;
    this.#at = view;
    if (from === undefined || from === view) return;
    const heap = heapBytes(from);
    const { kernel, bytes } = view.reader;
    bytes.set(heap, view.s + SCRATCH.carry);
    kernel.absorb(view.s, heap.length / 16);
    from.reader.words[(from.s + SCRATCH.heapCount) >>> 2] = 0;
  }

  /** In canonical order. The heap is none any more then. */
  sorted(): Uint8Array {
    if (this.#at === undefined) return new Uint8Array(0);
    this.#at.reader.kernel.sortHeap(this.#at.s);
    return heapBytes(this.#at).slice();
  }
}

function heapBytes({ reader, s }: SegmentView): Uint8Array {
  const count = reader.words[(s + SCRATCH.heapCount) >>> 2] as number;
  return reader.bytes.subarray(s + SCRATCH.heap, s + SCRATCH.heap + count * 16);
}
