import { BLOCK_CODES_LOG2, blockBits, codes, codeWords, groups } from './layout';
import { scanCodes } from './scan';
import { HOME, QUERY, THR } from './scratch';

// The base in blocks of codes. As codes ascend, the codes of a block have their first bits in common, and often others.
// `blockBits` holds, per block and word of a code, the bits that all codes of the block have and those that any has. What
// the query has and none has, or has not and all have, is a lower bound of its distance to each of them: a block whose
// bound is beyond the threshold is passed over unread.

/** Blocks scanned at most before the threshold is looked at again. */
const RUN_BLOCKS_MAX: u32 = 2048;
/** To pass over fewer blocks costs more, in waiting for memory, than to scan them. */
const GAP_BLOCKS_MIN: u32 = 8;
const STEP_MAX: u32 = 8;

function blockCount(): u32 {
  return (groups + (1 << BLOCK_CODES_LOG2) - 1) >> BLOCK_CODES_LOG2;
}

// No code of the block whose bits lie at `at` is nearer to the query, whose first word is q, than this.
// @ts-ignore: decorator
@inline
function boundOf(s: usize, at: usize, q: u64): u32 {
  let bound = <u32>popcnt<u64>((load<u64>(at) & ~q) | (q & ~load<u64>(at, 8)));
  for (let w: u32 = 1; w < codeWords; w++) {
    const next = load<u64>(s + (<usize>w << 3), QUERY);
    const bits = at + (<usize>w << 4);
    bound += <u32>popcnt<u64>((load<u64>(bits) & ~next) | (next & ~load<u64>(bits, 8)));
  }
  return bound;
}

function scanBlocks(s: usize, from: u32, to: u32): void {
  if (from < to) scanCodes(s, from << BLOCK_CODES_LOG2, min<u32>(to << BLOCK_CODES_LOG2, groups));
}

/** Scans the block in which the query's code would stand: what is near it, if anything is, lowers the threshold. */
export function scanHome(s: usize): void {
  const q = load<u64>(s, QUERY);
  const stride = <usize>codeWords << (3 + BLOCK_CODES_LOG2);
  let low: u32 = 0;
  let high = blockCount();
  if (high == 0) return;
  while (high - low > 1) {
    const middle = low + ((high - low) >> 1);
    if (load<u64>(codes + <usize>middle * stride) <= q) low = middle;
    else high = middle;
  }
  scanBlocks(s, low, low + 1);
  store<u32>(s, low, HOME);
}

/**
 * Scans all blocks, but for the home block, that may hold a code within the threshold, and what lies between two of them
 * where that is little. How many blocks it scanned.
 */
export function scanNear(s: usize): u32 {
  const q = load<u64>(s, QUERY);
  const home = load<u32>(s, HOME);
  const count = blockCount();
  const stride = <usize>codeWords << 4;
  let scanned: u32 = 0;
  // the run of blocks that is to be scanned next
  let from: u32 = 0;
  let to: u32 = 0;
  let step: u32 = 1;
  for (let block: u32 = 0; block < count; ) {
    if (block != home && boundOf(s, blockBits + <usize>block * stride, q) > load<u32>(s, THR)) {
      block++;
      step = 1;
      continue;
    }
    if (block == home || block - to >= GAP_BLOCKS_MIN || to - from >= RUN_BLOCKS_MAX) {
      scanBlocks(s, from, to);
      scanned += to - from;
      from = block;
    }
    if (block == home) {
      from = ++block;
    } else {
      // where all are near, few are looked at
      block = min<u32>(block + step, block < home ? min<u32>(home, count) : count);
      step = min<u32>(step << 1, STEP_MAX);
    }
    to = block;
  }
  scanBlocks(s, from, to);
  return scanned + to - from;
}

/** About how many codes scanNear would scan if the threshold stayed what it is; 256 to 511 blocks are looked at, or all. */
export function countNear(s: usize): u32 {
  const q = load<u64>(s, QUERY);
  const thr = load<u32>(s, THR);
  const count = blockCount();
  const stride = <usize>codeWords << 4;
  const step: u32 = max<u32>(1, count >> 8);
  let near: u32 = 0;
  for (let block: u32 = 0; block < count; block += step) {
    near += boundOf(s, blockBits + <usize>block * stride, q) > thr ? 0 : step;
  }
  return min<u32>(near << BLOCK_CODES_LOG2, groups);
}
