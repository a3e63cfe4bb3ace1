import { expectedThreshold } from './expected-threshold.js';
import {
  bucketCount,
  cheapestChunk,
  costToReachNs,
  scanNearCostNs,
  stepCostNs,
  type ChunkCosts,
} from './probe-cost.js';
import type { SegmentView } from './segment-reader.js';

/** Probing may always spend this share of the scan, and has then met enough to judge by. */
const BLIND_SHARE = 0.01;
/** Beyond that, only where the whole of it is expected to cost less than this share. */
const SURE_SHARE = 0.85;

/** 'auto' by cost; the others are for tests and benchmarks. */
export type ProbeMode = 'auto' | 'always' | 'never';

/** One step of multi-index hashing: all codes whose chunk differs from the query's in exactly `radius` bits. */
export interface ProbeStep {
  readonly chunk: number;
  readonly radius: number;
  /** Codes that the step visits, exactly. */
  readonly candidates: number;
  readonly costNs: number;
}

/** How far one segment was probed for one query. */
export class ProbeProgress {
  readonly view: SegmentView;
  /** Radii done per chunk: what is unseen differs from the query in at least as many bits of that chunk. */
  readonly #completed: number[];
  /** A bucket holds what an even spread would give, or what it held at the last step where that is more. */
  readonly #chunks: ChunkCosts[];
  #boundBits = 0;

  constructor(view: SegmentView) {
    this.view = view;
    const { chunks, groups } = view.reader.layout;
    this.#completed = chunks.map(() => 0);
    this.#chunks = chunks.map(({ bits, ids }) => ({
      bits,
      bucketCodes: groups / 2 ** bits,
      sorted: ids === 0,
    }));
  }

  /** No unseen code of this segment is nearer than this: the sum of the radii done (docs/search.md). */
  get boundBits(): number {
    return this.#boundBits;
  }

  /** What it is expected to cost to scan what may be near. The counts must be in this segment. */
  scanCostNs(): number {
    const { groups, codeWords } = this.view.reader.layout;
    return scanNearCostNs(this.view.reader.kernel.countNear(this.view.s), groups, codeWords);
  }

  /** The step that is expected to be the cheapest; undefined where every chunk was probed to its last bit. */
  nextStep(): ProbeStep | undefined {
    const chunk = cheapestChunk(this.#chunks, this.#completed);
    const costs = this.#chunks[chunk];
    if (costs === undefined) return undefined;
    const radius = this.#completed[chunk] as number;
    const candidates = this.view.reader.kernel.countProbe(this.view.s, chunk, radius);
    const even = this.view.reader.layout.groups / 2 ** costs.bits;
    const bucketCodes = Math.max(even, candidates / bucketCount(costs.bits, radius));
    this.#chunks[chunk] = { ...costs, bucketCodes };
    return { chunk, radius, candidates, costNs: stepCostNs(costs, radius, candidates) };
  }

  run(step: ProbeStep): void {
    this.view.reader.kernel.probe(this.view.s, step.chunk, step.radius);
    this.#completed[step.chunk] = step.radius + 1;
    this.#boundBits++;
  }

  /** Where the threshold is expected to end, from the rows counted by distance. */
  expectedThreshold(counts: Uint32Array, k: number, threshold: number): number {
    return expectedThreshold(counts, k, this.#chunks, this.#completed, threshold);
  }

  /** What it is expected to cost until no code at `distance` or nearer is unseen; not counted much beyond `limitNs`. */
  costToReachNs(distance: number, limitNs: number): number {
    return costToReachNs(this.#chunks, this.#completed, distance, limitNs);
  }
}

/**
 * Whether to go on probing, given what it has cost so far.
 * The worst case is a scan after probing in vain: 1 + BLIND_SHARE of a scan, unless the expectation itself was wrong.
 */
export function isProbingWorth(
  spentNs: number,
  nextNs: number,
  restNs: (limitNs: number) => number,
  scanNs: number,
): boolean {
  if (spentNs + nextNs <= BLIND_SHARE * scanNs) return true;
  const limitNs = SURE_SHARE * scanNs - spentNs;
  return nextNs <= limitNs && restNs(limitNs) <= limitNs;
}
