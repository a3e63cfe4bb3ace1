import { BLOCK_CODES_LOG2, SPAN_BLOCKS, blockBits, codes, codeWords, groups } from './layout';
import { scanCodes } from './scan';
import { HOME, QUERY, THR } from './scratch';

// The base in blocks of codes. As codes ascend, the codes of a block have their first bits in common, and often others.
// `blockBits` holds, per block and word of a code, the bits that all codes of the block have and those that any has. What
// the query has and none has, or has not and all have, is a lower bound of its distance to each of them: a block whose
// bound is beyond the threshold is passed over unread. After the blocks, `blockBits` holds the same of every span of blocks.

/** Blocks of which some are looked at to tell whether to look at each. */
const REGION_BLOCKS: u32 = 2048;
const LOOK_STEP: u32 = 32;
/** To pass over fewer blocks costs more, in waiting for memory, than to scan them. */
const GAP_BLOCKS_MIN: u32 = 8;

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

function isNear(s: usize, block: u32, q: u64): bool {
  return boundOf(s, blockBits + <usize>block * (<usize>codeWords << 4), q) <= load<u32>(s, THR);
}

// Scans blocks [from, to); how many they are.
function scanBlocks(s: usize, from: u32, to: u32): u32 {
  if (from >= to) return 0;
  scanCodes(s, from << BLOCK_CODES_LOG2, min<u32>(to << BLOCK_CODES_LOG2, groups));
  return to - from;
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

/** Scans what may hold a code within the threshold, but for the home block. How many blocks it scanned. */
export function scanNear(s: usize): u32 {
  const count = blockCount();
  const home = min<u32>(load<u32>(s, HOME), count);
  return scanNearIn(s, 0, home) + scanNearIn(s, home + 1, count);
}

function scanNearIn(s: usize, from: u32, to: u32): u32 {
  let scanned: u32 = 0;
  for (let next = from; next < to; next += REGION_BLOCKS) {
    const end = min<u32>(next + REGION_BLOCKS, to);
    const mostAreNear = nearBlocks(s, next, end, LOOK_STEP) << 1 > (end - next + LOOK_STEP - 1) / LOOK_STEP;
    scanned += mostAreNear ? scanBlocks(s, next, end) : scanNearOf(s, next, end);
  }
  return scanned;
}

// Looks at each block, or at a span of them where all are far.
function scanNearOf(s: usize, from: u32, to: u32): u32 {
  const q = load<u64>(s, QUERY);
  const spans = blockCount();
  let scanned: u32 = 0;
  let first = from;
  let end = from;
  for (let block = from; block < to; block++) {
    if (block % SPAN_BLOCKS == 0 && !isNear(s, spans + block / SPAN_BLOCKS, q)) {
      block += SPAN_BLOCKS - 1;
      continue;
    }
    if (!isNear(s, block, q)) continue;
    if (block - end >= GAP_BLOCKS_MIN) {
      scanned += scanBlocks(s, first, end);
      first = block;
    }
    end = block + 1;
  }
  return scanned + scanBlocks(s, first, end);
}

// Of every `step`-th block, how many may hold a code within the threshold.
function nearBlocks(s: usize, from: u32, to: u32, step: u32): u32 {
  const q = load<u64>(s, QUERY);
  let near: u32 = 0;
  for (let block = from; block < to; block += step) near += isNear(s, block, q) ? 1 : 0;
  return near;
}

/** About how many codes scanNear would scan if the threshold stayed what it is; 256 to 511 blocks are looked at, or all. */
export function countNear(s: usize): u32 {
  const count = blockCount();
  const step: u32 = max<u32>(1, count >> 8);
  return min<u32>((nearBlocks(s, 0, count, step) * step) << BLOCK_CODES_LOG2, groups);
}
