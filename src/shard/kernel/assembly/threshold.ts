import { countAlive, isDead } from './alive';
import { baseRows, grouped, starts } from './layout';
import { rank } from './rank';
import { CAND_COUNT, CANDIDATES, CANDIDATES_MAX, DELTA_FLAG, HIST, K, THR, TOTAL } from './scratch';

// A group or delta row at distance d <= THR was met. Returns the new threshold.
// Invariant: fewer than k rows were seen below THR, that is TOTAL - hist[THR] < k.
export function offer(s: usize, id: u32, d: u32): u32 {
  let thr = load<u32>(s, THR);
  if (d > thr) return thr;
  const k = load<u32>(s, K);
  let rows: u32 = 1;
  if (id & DELTA_FLAG) {
    if (isDead(s, baseRows + (id & ~DELTA_FLAG))) return thr;
  } else if (grouped) {
    const from = load<u32>(starts + (<usize>id << 2));
    rows = countAlive(from, load<u32>(starts + (<usize>id << 2), 4), k);
  } else if (isDead(s, id)) {
    return thr;
  }
  let count = load<u32>(s, CAND_COUNT);
  if (count == CANDIDATES_MAX) {
    compact(s);
    count = load<u32>(s, CAND_COUNT);
  }
  store<u64>(s + CANDIDATES + (<usize>count << 3), (<u64>d << 32) | <u64>id);
  store<u32>(s, count + 1, CAND_COUNT);
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
  if (kept > CANDIDATES_MAX / 4 * 3) rank(s);
}
