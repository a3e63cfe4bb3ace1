import { BLOCK_CODES } from '../kernel/kernel.js';
import { writeCommonBits } from './block-bits.js';
import type { CodeSample } from './code-sample.js';
import { codeFinder, type FrozenSegment, type MergedOrder } from './merge-order.js';

/** Codes that are looked at to tell whether tables pay. */
const SAMPLE_CODES = 32_768;
/** Blocks that are looked at to tell how many a scan passes over. */
const SAMPLE_BLOCKS = 128;

/**
 * Some of the codes and blocks of a base that is to be built, by chance: codes at even steps of their order would share their
 * first bits less often than codes do.
 */
export function sampleCodes(source: FrozenSegment, merged: MergedOrder, grouped: boolean): CodeSample {
  const { order, starts } = merged;
  const stride = source.layout.codeWords * 2;
  const codes = grouped ? starts.length : order.length;
  const firstRow = (code: number): number => order[grouped ? (starts[code] as number) : code] as number;
  const read = (picked: Uint32Array): Uint32Array => {
    const codeOf = codeFinder(source);
    const halves = new Uint32Array(picked.length * stride);
    picked.forEach((code, i) => {
      const at = codeOf(firstRow(code));
      halves.set(source.words.subarray(at, at + stride), i * stride);
    });
    return halves;
  };
  const halves = read(pick(Math.min(codes, SAMPLE_CODES), codes));
  const blocks = Math.floor(codes / BLOCK_CODES);
  const picked = pick(Math.min(blocks, SAMPLE_BLOCKS), blocks);
  const blockCodes = read(inBlocks(picked));
  const blockBits = new Uint32Array(picked.length * stride * 2);
  picked.forEach((_, i) => {
    const codesOfBlock = blockCodes.subarray(i * BLOCK_CODES * stride, (i + 1) * BLOCK_CODES * stride);
    writeCommonBits(codesOfBlock, stride, blockBits.subarray(i * stride * 2, (i + 1) * stride * 2));
  });
  return { count: halves.length / stride, halves, stride, blockBits };
}

// The numbers of the codes of these blocks.
function inBlocks(blocks: Uint32Array): Uint32Array {
  return Uint32Array.from({ length: blocks.length * BLOCK_CODES }, (_, i) => {
    return (blocks[Math.floor(i / BLOCK_CODES)] as number) * BLOCK_CODES + (i % BLOCK_CODES);
  });
}

// `count` numbers below `end`, ascending, by chance but the same each time.
function pick(count: number, end: number): Uint32Array {
  const picked = new Uint32Array(count);
  let taken = 0;
  // Knuth's algorithm S with xorshift32
  for (let i = 0, x = 1; taken < count; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    if (((x >>> 0) / 2 ** 32) * (end - i) < count - taken) picked[taken++] = i;
  }
  return picked;
}
