/** Some of a base's codes, by chance, in ascending order. */
export interface CodeSample {
  readonly count: number;
  /** Each code as 32-bit halves of its zero-padded 64-bit words, low half first. */
  readonly halves: Uint32Array;
  /** 32-bit halves per code. */
  readonly stride: number;
  /** Of some of the base's blocks, what SegmentLayout.blockBits has of all, as 32-bit halves. */
  readonly blockBits: Uint32Array;
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
 * the gallery.
 */
export function expectedNear(sample: CodeSample, distance: number, codes: number): number {
  const { count, halves, stride, blockBits } = sample;
  const step = Math.max(1, Math.floor(count / QUERIES));
  let near = 0;
  let all = 0;
  for (let at = 0; at < blockBits.length; at += 2 * stride) {
    for (let query = 0; query < count; query += step) {
      let bound = 0;
      for (let h = 0; h < stride; h++) {
        const code = halves[query * stride + h] as number;
        const bits = at + (h >> 1) * 4 + (h & 1);
        bound +=
          popcount((blockBits[bits] as number) & ~code) + popcount(code & ~(blockBits[bits + 2] as number));
      }
      if (bound <= distance) near++;
      all++;
    }
  }
  return all === 0 ? codes : (codes * near) / all;
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
