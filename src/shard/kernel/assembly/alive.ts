import { TOMBSTONES } from './scratch';
import { deadBits, tombstoneCount, tombstoneLog } from './layout';

// A set bit means dead now; whether it was dead at the snapshot is told by the tombstones logged since. The writer
// logs first and sets the bit last, so a set bit is always in the log.
export function isDead(s: usize, row: u32): bool {
  if ((atomic.load<u32>(deadBits + ((<usize>row >> 5) << 2)) & (1 << (row & 31))) == 0) return false;
  const now = atomic.load<u32>(tombstoneCount);
  for (let i = load<u32>(s, TOMBSTONES); i < now; i++) {
    if (load<u32>(tombstoneLog + (<usize>i << 2)) == row) return false;
  }
  return true;
}

// Rows of [from, to) without a set bit, but no more than `max`: never more than are alive at the snapshot.
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
