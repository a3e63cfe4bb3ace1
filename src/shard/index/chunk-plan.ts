import { codeWordCount } from '../../core/code.js';
import { expectedBucket, expectedNear, neighbourDistance, type CodeSample } from './code-sample.js';
import { CHUNK_BITS_MAX, costToReachNs, scanNearCostNs } from './probe-cost.js';

/** A run of bits within one 64-bit word of a code. */
export interface Chunk {
  readonly word: number;
  /** Bits below the chunk in its word. */
  readonly shift: number;
  readonly bits: number;
}

/** What a plan depends on. */
export interface ChunkPlanInput {
  readonly codeBits: number;
  /** Codes of the base. */
  readonly codes: number;
  /** Bytes that its rows take without tables. */
  readonly rowBytes: number;
  /** Fewer codes get no tables. */
  readonly codesMin: number;
  /** Some of the codes; asked for where there are enough of them for tables to pay. */
  readonly sample: () => CodeSample;
}

/** Fewer codes are scanned in a millisecond; tables would save too little for their memory. */
export const TABLE_CODES_MIN = 2_000_000;
const CHUNK_BITS_MIN = 8;
/** Tables take at most this share of what the rows themselves take. */
const TABLE_SHARE_MAX = 0.75;
/** Tables are made only where a query for few results is expected to cost less than this share of a scan. */
const COST_SHARE_MAX = 0.5;

/**
 * How the codes are cut for multi-index hashing, by what a query for a code's nearest neighbour is expected to cost. The
 * first chunk is the top of word 0, the bits by which codes are sorted.
 * Fewer than TABLE_CODES_MIN codes (which only tests ask for) are cut without looking at them.
 * @returns no chunks where tables would not pay or would take too much memory
 */
export function planChunks(input: ChunkPlanInput): readonly Chunk[] {
  const { codeBits, codes, rowBytes, codesMin } = input;
  if (codes < codesMin) return [];
  const fits = (chunks: readonly Chunk[]): boolean => {
    return chunkTableBytes(chunks, codes) <= TABLE_SHARE_MAX * rowBytes;
  };
  const evenBits = Math.min(CHUNK_BITS_MAX, Math.max(CHUNK_BITS_MIN, Math.floor(Math.log2(codes))));
  if (codes < TABLE_CODES_MIN) {
    const chunks = cut(codeBits, evenBits);
    return fits(chunks) ? chunks : [];
  }
  const sample = input.sample();
  const distance = neighbourDistance(sample, codes);
  let best: readonly Chunk[] = [];
  const near = expectedNear(sample, distance, codes);
  let bestNs = COST_SHARE_MAX * scanNearCostNs(near, codes, codeWordCount(codeBits));
  let count = 0;
  for (let bitsMax = evenBits - 4; bitsMax <= CHUNK_BITS_MAX; bitsMax++) {
    const chunks = cut(codeBits, bitsMax);
    if (chunks.length === count || !fits(chunks)) continue;
    count = chunks.length;
    const costs = chunks.map((chunk, i) => ({
      bits: chunk.bits,
      bucketCodes: expectedBucket(sample, chunk, codes),
      sorted: i === 0,
    }));
    const done = chunks.map(() => 0);
    const costNs = costToReachNs(costs, done, distance, bestNs);
    if (costNs < bestNs) [best, bestNs] = [chunks, costNs];
  }
  return best;
}

// Every word in as few chunks of nearly the same length as chunks of `bitsMax` bits allow.
function cut(codeBits: number, bitsMax: number): Chunk[] {
  const chunks: Chunk[] = [];
  for (let word = 0; word < codeWordCount(codeBits); word++) {
    const wordBits = Math.min(64, codeBits - word * 64);
    const count = Math.ceil(wordBits / bitsMax);
    for (let c = 0, top = wordBits; c < count; c++) {
      const bits = Math.ceil(top / (count - c));
      top -= bits;
      chunks.push({ word, shift: top, bits });
    }
  }
  return chunks;
}

/** Bytes of a code's number in a chunk table. */
export function chunkIdBytes(codes: number): number {
  return codes <= 1 << 24 ? 3 : 4;
}

function chunkTableBytes(chunks: readonly Chunk[], codes: number): number {
  const offsets = chunks.reduce((sum, { bits }) => sum + 2 ** bits * 4, 0);
  return offsets + (chunks.length - 1) * codes * chunkIdBytes(codes);
}
