import { CHUNK_BITS_MAX } from './chunk-plan.js';
import type { SegmentView } from './segment-reader.js';

/**
 * What things cost, in nanoseconds on the machine of docs/benchmarks.md. Only their ratios matter, and only to choose
 * between two exact ways: wrong ratios cost time, never an answer.
 */
export const SCAN_WORD_NS = 0.32;
const BUCKET_NS = 7;
const CANDIDATE_NS = 7;

/** Probing may always spend this share of the linear scan, in the hope that it ends soon. */
const BLIND_SHARE = 0.04;
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
  /** Codes met so far per chunk, over what an even spread would give; at least 1. */
  readonly #skew: number[];
  #boundBits = 0;

  constructor(view: SegmentView) {
    this.view = view;
    this.#completed = view.reader.layout.chunks.map(() => 0);
    this.#skew = view.reader.layout.chunks.map(() => 1);
  }

  /** No unseen code of this segment is nearer than this: the sum of the radii done (docs/search.md). */
  get boundBits(): number {
    return this.#boundBits;
  }

  get scanCostNs(): number {
    const { groups, codeWords } = this.view.reader.layout;
    return groups * codeWords * SCAN_WORD_NS;
  }

  /** The step that is expected to be the cheapest; undefined where every chunk was probed to its last bit. */
  nextStep(): ProbeStep | undefined {
    const chunk = this.#cheapestChunk(this.#completed);
    if (chunk < 0) return undefined;
    const radius = this.#completed[chunk] as number;
    const candidates = this.view.reader.kernel.countProbe(this.view.s, chunk, radius);
    const expected = this.#expectedCandidates(chunk, radius) / (this.#skew[chunk] as number);
    this.#skew[chunk] = Math.max(1, candidates / Math.max(1, expected));
    return {
      chunk,
      radius,
      candidates,
      costNs: this.#buckets(chunk, radius) * BUCKET_NS + candidates * CANDIDATE_NS,
    };
  }

  run(step: ProbeStep): void {
    this.view.reader.kernel.probe(this.view.s, step.chunk, step.radius);
    this.#completed[step.chunk] = step.radius + 1;
    this.#boundBits++;
  }

  /** What it is expected to cost until no code at `distance` or nearer is unseen; not counted beyond `limitNs`. */
  costToReachNs(distance: number, limitNs: number): number {
    const completed = [...this.#completed];
    let cost = 0;
    for (let bound = this.#boundBits; bound <= distance && cost <= limitNs; bound++) {
      const chunk = this.#cheapestChunk(completed);
      if (chunk < 0) return cost;
      cost += this.#expectedCostNs(chunk, completed[chunk] as number);
      completed[chunk] = (completed[chunk] as number) + 1;
    }
    return cost;
  }

  #cheapestChunk(completed: readonly number[]): number {
    let best = -1;
    let bestCost = Infinity;
    for (let chunk = 0; chunk < completed.length; chunk++) {
      const radius = completed[chunk] as number;
      if (radius > this.#bits(chunk)) continue;
      const cost = this.#expectedCostNs(chunk, radius);
      if (cost < bestCost) [best, bestCost] = [chunk, cost];
    }
    return best;
  }

  #bits(chunk: number): number {
    return this.view.reader.layout.chunks[chunk]?.bits ?? 0;
  }

  #buckets(chunk: number, radius: number): number {
    return binomial(this.#bits(chunk), radius);
  }

  #expectedCandidates(chunk: number, radius: number): number {
    const mean = this.view.reader.layout.groups / 2 ** this.#bits(chunk);
    return this.#buckets(chunk, radius) * mean * (this.#skew[chunk] as number);
  }

  #expectedCostNs(chunk: number, radius: number): number {
    return this.#buckets(chunk, radius) * BUCKET_NS + this.#expectedCandidates(chunk, radius) * CANDIDATE_NS;
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

const BINOMIALS = binomials(CHUNK_BITS_MAX);

function binomial(n: number, k: number): number {
  return BINOMIALS[n * (CHUNK_BITS_MAX + 1) + k] as number;
}

// Pascal's triangle: n over k at [n * (max + 1) + k].
function binomials(max: number): Float64Array {
  const width = max + 1;
  const table = new Float64Array(width * width);
  for (let n = 0; n <= max; n++) {
    table[n * width] = 1;
    for (let k = 1; k <= n; k++) {
      const above = (n - 1) * width + k;
      table[n * width + k] = (table[above - 1] as number) + (table[above] as number);
    }
  }
  return table;
}
