import { BLOCK_CODES } from '../kernel/kernel.js';

/** Some of a base's codes, by chance, in ascending order. */
export interface CodeSample {
  readonly count: number;
  /** Each code as 32-bit halves of its zero-padded 64-bit words, low half first. */
  readonly halves: Uint32Array;
  /** 32-bit halves per code. */
  readonly stride: number;
}

/** Codes that are compared with the whole sample. */
const QUERIES = 128;

/** The distance at which a code of the gallery is expected to have one neighbour among `codes` codes. */
export function neighbourDistance({ count, halves, stride }: CodeSample, codes: number): number {
  const pairs = new Float64Array(stride * 32 + 1);
  const step = Math.max(1, Math.floor(count / QUERIES));
  let all = 0;
  for (let query = 0; query < count; query += step) {
    for (let other = 0; other < count; other++) {
      let distance = 0;
      for (let h = 0; h < stride; h++) {
        distance += popcount((halves[query * stride + h] as number) ^ (halves[other * stride + h] as number));
      }
      pairs[distance] = (pairs[distance] as number) + 1;
    }
    pairs[0] = (pairs[0] as number) - 1; // itself
    all += count - 1;
  }
  let near = 0;
  for (let distance = 0; distance < pairs.length; distance++) {
    near += pairs[distance] as number;
    if (near * codes >= all) return distance;
  }
  return pairs.length - 1;
}

/**
 * How many of `codes` codes lie in blocks (kernel/assembly/blocks.ts) that may hold a code within `distance` of a code of
 * the gallery. Blocks of the sample span more of the order than blocks of the base, so this is rather too many.
 */
export function expectedNear(sample: CodeSample, distance: number, codes: number): number {
  const { count, halves, stride } = sample;
  const perBlock = Math.max(2, Math.round((BLOCK_CODES * count) / codes));
  const step = Math.max(1, Math.floor(count / QUERIES));
  let near = 0;
  let all = 0;
  for (let first = 0; first < count; first += perBlock) {
    const bits = commonBits(sample, first, Math.min(first + perBlock, count));
    for (let query = 0; query < count; query += step) {
      let bound = 0;
      for (let h = 0; h < stride; h++) {
        const code = halves[query * stride + h] as number;
        bound += popcount((bits.all[h] as number) & ~code) + popcount(code & ~(bits.any[h] as number));
      }
      if (bound <= distance) near++;
      all++;
    }
  }
  return all === 0 ? codes : (codes * near) / all;
}

// The bits that all codes [from, to) of the sample have, and those that any has.
function commonBits({ halves, stride }: CodeSample, from: number, to: number) {
  const all = new Uint32Array(stride).fill(0xffff_ffff);
  const any = new Uint32Array(stride);
  for (let at = from * stride; at < to * stride; at++) {
    const h = at % stride;
    all[h] = (all[h] as number) & (halves[at] as number);
    any[h] = (any[h] as number) | (halves[at] as number);
  }
  return { all, any };
}

/**
 * How many of `codes` codes share the value of a chunk with a code of the gallery, itself left out: the share of pairs of
 * the sample that do, times the codes.
 */
export function expectedBucket(
  { count, halves, stride }: CodeSample,
  chunk: { readonly word: number; readonly shift: number; readonly bits: number },
  codes: number,
): number {
  if (count < 2) return codes;
  const values = new Uint32Array(2 ** chunk.bits);
  let pairs = 0;
  for (let i = 0; i < count; i++) {
    const at = i * stride + chunk.word * 2;
    const value = bitsOf(halves[at] as number, halves[at + 1] as number, chunk.shift, chunk.bits);
    const before = values[value] as number;
    pairs += before;
    values[value] = before + 1;
  }
  return (codes * pairs) / ((count * (count - 1)) / 2);
}

/** `bits` (at most 31) bits of a 64-bit word from bit `shift` on. */
export function bitsOf(low: number, high: number, shift: number, bits: number): number {
  const mask = 2 ** bits - 1;
  if (shift >= 32) return (high >>> (shift - 32)) & mask;
  return (shift === 0 ? low : (low >>> shift) | (high << (32 - shift))) & mask;
}

function popcount(x: number): number {
  const pairs = x - ((x >>> 1) & 0x5555_5555);
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
