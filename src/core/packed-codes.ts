import { assert } from './errors.js';

/**
 * Many codes of one length, side by side, for scans inside one process (evaluation, experiments).
 *
 *   words:  | code 0: word 0, word 1 | code 1: word 0, word 1 | ...     (32-bit words, wordsPerCode each)
 *
 * Bit i of a code is bit (i mod 32) of its word floor(i / 32): the same bits, in the same little-endian order, as
 * `codeOfEmbedding` puts into bytes. Unused high bits are 0.
 */
export interface PackedCodes {
  readonly codeBits: number;
  readonly count: number;
  /** 32-bit words that hold one code. */
  readonly wordsPerCode: number;
  /** shape [count, wordsPerCode] */
  readonly words: Uint32Array;
}

/** `count` codes, all bits 0. */
export function zeroCodes(count: number, codeBits: number): PackedCodes {
  const wordsPerCode = Math.ceil(codeBits / 32);
  return { codeBits, count, wordsPerCode, words: new Uint32Array(count * wordsPerCode) };
}

/**
 * The codes of embeddings: bit i of code n is 1 where embeddings[n, i] >= 0 (PAPER.md, "Retrieval").
 * @param embeddings shape [count, codeBits]
 */
export function packEmbeddings(embeddings: ArrayLike<number>, codeBits: number): PackedCodes {
  const count = embeddings.length / codeBits;
  assert(Number.isInteger(count), `embeddings are not a whole number of rows of ${codeBits}`);
  const codes = zeroCodes(count, codeBits);
  for (let row = 0; row < count; row++) {
    for (let bit = 0; bit < codeBits; bit++) {
      if ((embeddings[row * codeBits + bit] as number) >= 0) setBit(codes, row, bit);
    }
  }
  return codes;
}

/** Sets bit `bit` of code `row` to 1. */
export function setBit(codes: PackedCodes, row: number, bit: number): void {
  const at = row * codes.wordsPerCode + (bit >>> 5);
  codes.words[at] = ((codes.words[at] as number) | (1 << (bit & 31))) >>> 0;
}

/** Bit `bit` of code `row`, 0 or 1. */
export function bitOf(codes: PackedCodes, row: number, bit: number): 0 | 1 {
  return (((codes.words[row * codes.wordsPerCode + (bit >>> 5)] as number) >>> (bit & 31)) & 1) as 0 | 1;
}

/** The number of 1 bits of a 32-bit word (Hacker's Delight, figure 5-2). */
export function popcount32(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * Hamming distances from code `queryRow` of `queries` to every code of `gallery`.
 * @param distances filled in; shape [gallery.count]; a distance is at most 256, so 16 bits hold it
 */
export function hammingDistancesTo(
  queries: PackedCodes,
  queryRow: number,
  gallery: PackedCodes,
  distances: Uint16Array,
): void {
  const { words, wordsPerCode, count } = gallery;
  const query = queries.words.subarray(queryRow * wordsPerCode, (queryRow + 1) * wordsPerCode);
  if (wordsPerCode === 1) {
    const q = query[0] as number;
    for (let row = 0; row < count; row++) distances[row] = popcount32(q ^ (words[row] as number));
  } else if (wordsPerCode === 2) {
    const low = query[0] as number;
    const high = query[1] as number;
    for (let row = 0, at = 0; row < count; row++, at += 2) {
      distances[row] = popcount32(low ^ (words[at] as number)) + popcount32(high ^ (words[at + 1] as number));
    }
  } else {
    for (let row = 0, at = 0; row < count; row++) {
      let distance = 0;
      for (let word = 0; word < wordsPerCode; word++, at++) {
        distance += popcount32((query[word] as number) ^ (words[at] as number));
      }
      distances[row] = distance;
    }
  }
}

/** The codes of the given rows, in that order. */
export function selectCodes(codes: PackedCodes, rows: ArrayLike<number>): PackedCodes {
  const selected = zeroCodes(rows.length, codes.codeBits);
  const { wordsPerCode } = codes;
  for (let i = 0; i < rows.length; i++) {
    const from = (rows[i] as number) * wordsPerCode;
    selected.words.set(codes.words.subarray(from, from + wordsPerCode), i * wordsPerCode);
  }
  return selected;
}
