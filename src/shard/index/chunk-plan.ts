import { codeWordCount } from '../../core/code.js';

/** A run of bits within one 64-bit word of a code. */
export interface Chunk {
  readonly word: number;
  /** Bits below the chunk in its word. */
  readonly shift: number;
  readonly bits: number;
}

/** Below this many codes a linear scan takes microseconds and tables pay for nothing. */
export const TABLE_CODES_MIN = 16_384;
const CHUNK_BITS_MIN = 8;
export const CHUNK_BITS_MAX = 22;
/** Tables take at most this share of what the rows themselves take. */
const TABLE_SHARE_MAX = 0.75;

/**
 * How the codes are cut for multi-index hashing: no chunk has more values than there are codes, so that buckets are
 * neither empty nor long. The first chunk is the top of word 0, the bits by which codes are sorted.
 * @param codesMin fewer codes get no tables
 * @returns no chunks where tables would not pay or would take too much memory
 */
export function planChunks(
  codeBits: number,
  codes: number,
  rowBytes: number,
  codesMin: number,
): readonly Chunk[] {
  if (codes < codesMin) return [];
  const bitsMax = Math.min(CHUNK_BITS_MAX, Math.max(CHUNK_BITS_MIN, Math.floor(Math.log2(codes))));
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
  return chunkTableBytes(chunks, codes) <= TABLE_SHARE_MAX * rowBytes ? chunks : [];
}

/** Bytes of a code's number in a chunk table. */
export function chunkIdBytes(codes: number): number {
  return codes <= 1 << 24 ? 3 : 4;
}

function chunkTableBytes(chunks: readonly Chunk[], codes: number): number {
  const offsets = chunks.reduce((sum, { bits }) => sum + 2 ** bits * 4, 0);
  return offsets + (chunks.length - 1) * codes * chunkIdBytes(codes);
}
