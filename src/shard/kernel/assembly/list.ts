import { attributeOrder, codes, codeWords, grouped, groups, starts } from './layout';
import { rankRow } from './rank';
import { COUNT_FROM, QUERY, THR } from './scratch';
import { countRows } from './threshold';

/**
 * Compares the base rows attributeOrder[from .. to), which have one attribute set, and counts and ranks those that are
 * near enough at once. Where the allowed sets have few rows this replaces scan and probes of the base.
 */
export function listRows(s: usize, from: u32, to: u32): void {
  let thr = load<u32>(s, THR);
  const countFrom = load<u32>(s, COUNT_FROM);
  let group: u32 = 0;
  for (let i = from; i < to; i++) {
    const row = load<u32>(attributeOrder + (<usize>i << 2));
    group = grouped ? groupOf(row, group) : row;
    const d = distanceOf(s, group);
    if (d > thr || d + 1 < countFrom) continue;
    if (rankRow(s, row, d)) thr = countRows(s, d, 1);
  }
}

// The group that holds a row; rows ascend, so it is not before `low`, that of the row before.
function groupOf(row: u32, low: u32): u32 {
  let high = groups;
  while (high - low > 1) {
    const middle = low + ((high - low) >> 1);
    if (load<u32>(starts + (<usize>middle << 2)) <= row) low = middle;
    else high = middle;
  }
  return low;
}

function distanceOf(s: usize, group: u32): u32 {
  const bytes = <usize>codeWords << 3;
  const p = codes + <usize>group * bytes;
  let d: u32 = 0;
  for (let w: usize = 0; w < bytes; w += 8) d += <u32>popcnt<u64>(load<u64>(p + w) ^ load<u64>(s + w, QUERY));
  return d;
}
