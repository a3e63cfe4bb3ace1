import { countAlive, countEligible, isEligible } from './alive';
import { baseRows, grouped, starts } from './layout';
import { rank } from './rank';
import {
  CAND_COUNT, CANDIDATES, CANDIDATES_MAX, COUNT_FROM, DELTA_FLAG, FILTER, HIST, K, THR, TOTAL,
} from './scratch';

// A group or delta row at distance d was met. Returns the new threshold.
// Nearer than the cursor: no answer. At its distance: which rows of the group come after the cursor is seen only when
// they are ranked, so they are kept as a candidate and count nothing; to count too few is safe.
export function offer(s: usize, id: u32, d: u32): u32 {
  const thr = load<u32>(s, THR);
  const countFrom = load<u32>(s, COUNT_FROM);
  if (d > thr || d + 1 < countFrom) return thr;
  let rows: u32 = 1;
  if (id & DELTA_FLAG) {
    if (!isEligible(s, baseRows + (id & ~DELTA_FLAG))) return thr;
  } else if (!grouped) {
    if (!isEligible(s, id)) return thr;
  } else if (d >= countFrom) {
    const from = load<u32>(starts + (<usize>id << 2));
    const to = load<u32>(starts + (<usize>id << 2), 4);
    if (load<u32>(s, FILTER) == 0) rows = countAlive(from, to, load<u32>(s, K));
    else {
      rows = countEligible(s, from, to, load<u32>(s, K));
      if (rows == 0) return thr;
    }
  }
  addCandidate(s, id, d);
  return d < countFrom ? thr : countRows(s, d, rows);
}

function addCandidate(s: usize, id: u32, d: u32): void {
  let count = load<u32>(s, CAND_COUNT);
  if (count == CANDIDATES_MAX) {
    compact(s);
    count = load<u32>(s, CAND_COUNT);
  }
  store<u64>(s + CANDIDATES + (<usize>count << 3), (<u64>d << 32) | <u64>id);
  store<u32>(s, count + 1, CAND_COUNT);
}

// Counts rows at distance d <= THR that may be answers. Returns the new threshold.
// Invariant: fewer than k rows were counted below THR, that is TOTAL - hist[THR] < k.
export function countRows(s: usize, d: u32, rows: u32): u32 {
  let thr = load<u32>(s, THR);
  const k = load<u32>(s, K);
  const slot = s + HIST + (<usize>d << 2);
  store<u32>(slot, load<u32>(slot) + rows);
  let total = load<u32>(s, TOTAL) + rows;
  let atThr = load<u32>(s + HIST + (<usize>thr << 2));
  while (total - atThr >= k) {
    total -= atThr;
    thr--;
    atThr = load<u32>(s + HIST + (<usize>thr << 2));
  }
  store<u32>(s, total, TOTAL);
  store<u32>(s, thr, THR);
  return thr;
}

// Makes room among the candidates: forgets those beyond the threshold; where that is not enough, ranks them now.
function compact(s: usize): void {
  const thr = load<u32>(s, THR);
  const count = load<u32>(s, CAND_COUNT);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const candidate = load<u64>(s + CANDIDATES + (<usize>i << 3));
    if (<u32>(candidate >> 32) > thr) continue;
    store<u64>(s + CANDIDATES + (<usize>kept << 3), candidate);
    kept++;
  }
  store<u32>(s, kept, CAND_COUNT);
  if (kept > CANDIDATES_MAX / 4 * 3) rank(s, thr);
}
