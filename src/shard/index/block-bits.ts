import { BLOCK_CODES, SPAN_BLOCKS } from '../kernel/kernel.js';
import type { SegmentLayout } from './segment-layout.js';

/** Writes what the scan passes over blocks by (kernel/assembly/blocks.ts). The codes were written before. */
export function writeBlockBits(layout: SegmentLayout, words: Uint32Array): void {
  const { codes, codeWords, groups, blockBits } = layout;
  const stride = codeWords * 2;
  for (let first = 0, to = blockBits / 4; first < groups; first += BLOCK_CODES, to += stride * 2) {
    const from = codes / 4 + first * stride;
    const count = Math.min(BLOCK_CODES, groups - first);
    writeCommonBits(words.subarray(from, from + count * stride), stride, words.subarray(to, to + stride * 2));
  }
  writeSpanBits(layout, words);
}

// What all blocks of a span have, and what any has.
function writeSpanBits({ codeWords, groups, blockBits }: SegmentLayout, words: Uint32Array): void {
  const blocks = Math.ceil(groups / BLOCK_CODES);
  const width = codeWords * 4;
  const spans = blockBits / 4 + blocks * width;
  for (let block = 0; block < blocks; block++) {
    const from = blockBits / 4 + block * width;
    const to = spans + Math.floor(block / SPAN_BLOCKS) * width;
    for (let i = 0; i < width; i++) {
      const bits = words[from + i] as number;
      const isAny = (i & 2) !== 0;
      if (block % SPAN_BLOCKS === 0) words[to + i] = bits;
      else words[to + i] = isAny ? (words[to + i] as number) | bits : (words[to + i] as number) & bits;
    }
  }
}

/**
 * Per 64-bit word of a code, the bits that all codes have and those that any has.
 * @param codes 32-bit halves, low half first, `stride` per code
 * @param bits `stride` * 2 halves: (all, any) per word
 */
export function writeCommonBits(codes: Uint32Array, stride: number, bits: Uint32Array): void {
  for (let half = 0; half < stride; half++) {
    let all = 0xffff_ffff;
    let any = 0;
    for (let at = half; at < codes.length; at += stride) {
      all &= codes[at] as number;
      any |= codes[at] as number;
    }
    const low = (half >> 1) * 4 + (half & 1);
    bits[low] = all;
    bits[low + 2] = any;
  }
}
