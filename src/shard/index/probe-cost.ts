import { BLOCK_CODES } from '../kernel/kernel.js';

/** Bits of a chunk at most: its table has an entry per value. */
export const CHUNK_BITS_MAX = 22;

/**
 * What things cost, in nanoseconds on the machine of docs/benchmarks.md where nothing is in the processor's caches. Only
 * their ratios matter, and only to choose between two exact ways: wrong ratios cost time, never an answer.
 */
const SCAN_WORD_NS = 0.36;
/** Looking whether a block may hold a near code. */
const BLOCK_NS = 3;
/** Looking a value of a chunk up: its place in the table, and its list. */
const BUCKET_NS = 12;
/** A code somewhere in memory. */
const CANDIDATE_NS = 24;
/** A code beside the one before it. */
const SORTED_CANDIDATE_NS = 15;

/** A chunk as its costs depend on it. */
export interface ChunkCosts {
  readonly bits: number;
  /** Codes expected to share a value of the chunk. */
  readonly bucketCodes: number;
  /** Whether the codes lie in the order of this chunk. */
  readonly sorted: boolean;
}

export function scanCostNs(codes: number, codeWords: number): number {
  return codes * codeWords * SCAN_WORD_NS;
}

/** Scanning the `near` of all `codes` codes that lie in blocks which may hold a near code. */
export function scanNearCostNs(near: number, codes: number, codeWords: number): number {
  return scanCostNs(near, codeWords) + (codes / BLOCK_CODES) * codeWords * BLOCK_NS;
}

/** Values of a chunk that differ from the query's in exactly `radius` bits. */
export function bucketCount(bits: number, radius: number): number {
  return BINOMIALS[bits * (CHUNK_BITS_MAX + 1) + radius] as number;
}

/** What probing (chunk, radius) costs where it visits `candidates` codes. */
export function stepCostNs({ bits, sorted }: ChunkCosts, radius: number, candidates: number): number {
  return bucketCount(bits, radius) * BUCKET_NS + candidates * (sorted ? SORTED_CANDIDATE_NS : CANDIDATE_NS);
}

/** The chunk whose next radius is expected to cost least; -1 where every chunk was probed to its last bit. */
export function cheapestChunk(chunks: readonly ChunkCosts[], completed: readonly number[]): number {
  let best = -1;
  let bestNs = Infinity;
  chunks.forEach((chunk, i) => {
    const radius = completed[i] as number;
    if (radius > chunk.bits) return;
    const costNs = expectedStepNs(chunk, radius);
    if (costNs < bestNs) [best, bestNs] = [i, costNs];
  });
  return best;
}

/**
 * What it is expected to cost until no code at `distance` or nearer is unseen; not counted much beyond `limitNs`.
 * @param done radii done per chunk
 */
export function costToReachNs(
  chunks: readonly ChunkCosts[],
  done: readonly number[],
  distance: number,
  limitNs: number,
): number {
  const completed = [...done];
  let cost = 0;
  let bound = completed.reduce((sum, radii) => sum + radii, 0);
  for (; bound <= distance && cost <= limitNs; bound++) {
    const i = cheapestChunk(chunks, completed);
    if (i < 0) return cost;
    cost += expectedStepNs(chunks[i] as ChunkCosts, completed[i] as number);
    completed[i] = (completed[i] as number) + 1;
  }
  return cost;
}

function expectedStepNs(chunk: ChunkCosts, radius: number): number {
  return stepCostNs(chunk, radius, bucketCount(chunk.bits, radius) * chunk.bucketCodes);
}

const BINOMIALS = binomials(CHUNK_BITS_MAX);

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
