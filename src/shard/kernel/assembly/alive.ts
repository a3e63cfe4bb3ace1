import { attributes, baseRows, deadBits, deltaAttributes, tombstoneCount, tombstoneLog } from './layout';
import { FILTER, TOMBSTONES } from './scratch';

/** Whether a row (base first, then delta) may be an answer: alive at the snapshot, and allowed by the filter if any. */
export function isEligible(s: usize, row: u32): bool {
  return isAllowed(s, row) && !isDead(s, row);
}

// @ts-ignore: decorator
@inline
function isSetAllowed(filter: usize, set: u32): bool {
  return ((load<u32>(filter + ((<usize>set >> 5) << 2)) >> (set & 31)) & 1) != 0;
}

function isAllowed(s: usize, row: u32): bool {
  const filter = <usize>load<u32>(s, FILTER);
  if (filter == 0) return true;
  if (row >= baseRows) return isSetAllowed(filter, load<u32>(deltaAttributes + (<usize>(row - baseRows) << 2)));
  return isSetAllowed(filter, attributes == 0 ? 0 : load<u32>(attributes + (<usize>row << 2)));
}

// A set bit means dead now; whether it was dead at the snapshot is told by the tombstones logged since. The writer
// logs first and sets the bit last, so a set bit is always in the log.
function isDead(s: usize, row: u32): bool {
  if ((atomic.load<u32>(deadBits + ((<usize>row >> 5) << 2)) & (1 << (row & 31))) == 0) return false;
  const now = atomic.load<u32>(tombstoneCount);
  for (let i = load<u32>(s, TOMBSTONES); i < now; i++) {
    if (load<u32>(tombstoneLog + (<usize>i << 2)) == row) return false;
  }
  return true;
}

/** Eligible base rows of [from, to), exactly, but no more than `max`. For queries with a filter. */
export function countEligible(s: usize, from: u32, to: u32, max: u32): u32 {
  let count: u32 = 0;
  for (let row = from; row < to && count < max; row++) if (isEligible(s, row)) count++;
  return count;
}

/** Rows of [from, to) without a set bit, but no more than `max`: never more than are alive at the snapshot. */
export function countAlive(from: u32, to: u32, max: u32): u32 {
  let alive: u32 = 0;
  let row = from;
  while (row < to) {
    const inWord: u32 = row & 31;
    const here: u32 = min<u32>(32 - inWord, to - row);
    const mask: u32 = (here == 32 ? 0xffffffff : (1 << here) - 1) << inWord;
    alive += popcnt<u32>(~load<u32>(deadBits + ((<usize>row >> 5) << 2)) & mask);
    if (alive >= max) return max;
    row += here;
  }
  return alive;
}
