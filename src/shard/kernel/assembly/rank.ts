import { isEligible } from './alive';
import { distance2 } from './distance';
import { consider, tooLate, worstRank } from './heap';
import { baseRows, deltaFines, deltaTieKeys, fines, fineWords, grouped, starts, tieKeys } from './layout';
import {
  AFTER_KEY, AFTER_RANK, CAND_COUNT, CANDIDATES, COUNT_FROM, DELTA_FLAG, FINE, FINE_QUERY, THR,
} from './scratch';

/**
 * Ranks the candidates at distance `limit` or nearer into the heap, keeps those between it and the threshold, and
 * forgets all others.
 * HAMMING: the rows of a group lie in order of tie key, so the first that is too late ends the group.
 * FINE: the fine codes of a group are scanned like codes, against the worst of the heap.
 */
export function rank(s: usize, limit: u32): void {
  const thr = load<u32>(s, THR);
  const count = load<u32>(s, CAND_COUNT);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const candidate = load<u64>(s + CANDIDATES + (<usize>i << 3));
    const d = <u32>(candidate >> 32);
    if (d > thr) continue;
    if (d > limit) {
      store<u64>(s + CANDIDATES + (<usize>kept << 3), candidate);
      kept++;
      continue;
    }
    // the heap may be full of nearer rows, where too few were counted (threshold.ts)
    if ((d << 16) > worstRank(s)) continue;
    const id = <u32>candidate;
    if (id & DELTA_FLAG) rankRow(s, baseRows + (id & ~DELTA_FLAG), d);
    else if (!grouped) rankRow(s, id, d);
    else rankGroup(s, load<u32>(starts + (<usize>id << 2)), load<u32>(starts + (<usize>id << 2), 4), d);
  }
  store<u32>(s, kept, CAND_COUNT);
}

/**
 * Puts one row (base first, then delta) at distance d into the heap, if it is eligible, after the cursor, and among the
 * best. Returns whether it is eligible and after the cursor.
 */
export function rankRow(s: usize, row: u32, d: u32): bool {
  if (!isEligible(s, row)) return false;
  const inDelta = row >= baseRows;
  const at: usize = inDelta ? row - baseRows : row;
  const fine = load<u32>(s, FINE) ? fineDistance(s, (inDelta ? deltaFines : fines) + at * (<usize>fineWords << 3)) : 0;
  const r = (d << 16) | fine;
  const tieKey = load<u64>((inDelta ? deltaTieKeys : tieKeys) + (at << 3));
  if (isBeforeCursor(s, r, tieKey)) return false;
  consider(s, r, tieKey);
  return true;
}

function isBeforeCursor(s: usize, r: u32, tieKey: u64): bool {
  const after = load<u32>(s, AFTER_RANK);
  return r < after || (r == after && tieKey < load<u64>(s, AFTER_KEY));
}

function rankGroup(s: usize, from: u32, to: u32, d: u32): void {
  if (!load<u32>(s, FINE)) rankByTieKey(s, from, to, d);
  else if (fineWords == 4 || fineWords == 8) rankRuns(s, from, to, d);
  else rankFine(s, from, to, d);
}

function rankByTieKey(s: usize, from: u32, to: u32, d: u32): void {
  const r = d << 16;
  if (r < load<u32>(s, AFTER_RANK)) return;
  for (let row = d < load<u32>(s, COUNT_FROM) ? firstFrom(s, from, to) : from; row < to; row++) {
    const tieKey = load<u64>(tieKeys + (<usize>row << 3));
    if (tooLate(s, r, tieKey)) return;
    if (isEligible(s, row)) consider(s, r, tieKey);
  }
}

// The first row of a group, of which the tie keys ascend, with the cursor's tie key or a later one.
function firstFrom(s: usize, from: u32, to: u32): u32 {
  const key = load<u64>(s, AFTER_KEY);
  let low = from;
  let high = to;
  while (low < high) {
    const middle = low + ((high - low) >> 1);
    if (load<u64>(tieKeys + (<usize>middle << 3)) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Ranks before the cursor's and beyond the worst of the heap are told by one comparison, r - first > span, because what
// is smaller than `first` becomes large when it is subtracted. (No rank in the heap is before the cursor's.)
function rankFine(s: usize, from: u32, to: u32, d: u32): void {
  const stride = <usize>fineWords << 3;
  const first = load<u32>(s, AFTER_RANK);
  let span = worstRank(s) - first;
  let p = fines + <usize>from * stride;
  for (let row = from; row < to; row++, p += stride) {
    const r = (d << 16) | fineDistance(s, p);
    if (r - first <= span) span = considerRow(s, row, r) - first;
  }
}

// The same for fine codes of 256 and of 512 bits, those of the default model: four runs side by side, in a loop without calls,
// as scan1 has two. The loop steps by 64 bytes: two fine codes or one.
function rankRuns(s: usize, from: u32, to: u32, d: u32): void {
  const first = load<u32>(s, AFTER_RANK);
  const base = (d << 16) - first;
  const shift: u32 = fineWords == 8 ? 6 : 5;
  const step: u32 = 64 >> shift;
  const part: u32 = ((to - from) >> 2) & ~(step - 1);
  const start = fines + (<usize>from << shift);
  const next = <usize>part << shift;
  const end = start + next;
  for (let p = start; ; p += 64) {
    const span = worstRank(s) - first;
    p = fineWords == 8 ? firstGood8(p, end, next, s, base, span) : firstGood4(p, end, next, s, base, span);
    if (p >= end) break;
    let row = from + <u32>((p - start) >> shift);
    for (let run = 0; run < 4; run++, row += part) rankFine(s, row, row + step, d);
  }
  rankFine(s, from + part * 4, to, d);
}

// The first p, in steps of two fine codes up to `end`, where one of the two at p, or at p + next, p + 2 next or p + 3 next, may
// enter the heap: that at fine distance f where base + f <= span.
export function firstGood4(p: usize, end: usize, next: usize, s: usize, base: u32, span: u32): usize {
  const q0 = load<u64>(s, FINE_QUERY);
  const q1 = load<u64>(s, FINE_QUERY + 8);
  const q2 = load<u64>(s, FINE_QUERY + 16);
  const q3 = load<u64>(s, FINE_QUERY + 24);
  let p1 = p + next;
  let p2 = p1 + next;
  let p3 = p2 + next;
  while (p < end) {
    if (base + distance2(p, 0, q0, q1) + distance2(p, 16, q2, q3) <= span) break;
    if (base + distance2(p1, 0, q0, q1) + distance2(p1, 16, q2, q3) <= span) break;
    if (base + distance2(p2, 0, q0, q1) + distance2(p2, 16, q2, q3) <= span) break;
    if (base + distance2(p3, 0, q0, q1) + distance2(p3, 16, q2, q3) <= span) break;
    if (base + distance2(p, 32, q0, q1) + distance2(p, 48, q2, q3) <= span) break;
    if (base + distance2(p1, 32, q0, q1) + distance2(p1, 48, q2, q3) <= span) break;
    if (base + distance2(p2, 32, q0, q1) + distance2(p2, 48, q2, q3) <= span) break;
    if (base + distance2(p3, 32, q0, q1) + distance2(p3, 48, q2, q3) <= span) break;
    p += 64;
    p1 += 64;
    p2 += 64;
    p3 += 64;
  }
  return p;
}

// As firstGood4, one fine code at a time.
export function firstGood8(p: usize, end: usize, next: usize, s: usize, base: u32, span: u32): usize {
  const q0 = load<u64>(s, FINE_QUERY);
  const q1 = load<u64>(s, FINE_QUERY + 8);
  const q2 = load<u64>(s, FINE_QUERY + 16);
  const q3 = load<u64>(s, FINE_QUERY + 24);
  const q4 = load<u64>(s, FINE_QUERY + 32);
  const q5 = load<u64>(s, FINE_QUERY + 40);
  const q6 = load<u64>(s, FINE_QUERY + 48);
  const q7 = load<u64>(s, FINE_QUERY + 56);
  let p1 = p + next;
  let p2 = p1 + next;
  let p3 = p2 + next;
  while (p < end) {
    const a = distance2(p, 0, q0, q1) + distance2(p, 16, q2, q3) + distance2(p, 32, q4, q5) + distance2(p, 48, q6, q7);
    if (base + a <= span) break;
    const b = distance2(p1, 0, q0, q1) + distance2(p1, 16, q2, q3) + distance2(p1, 32, q4, q5) + distance2(p1, 48, q6, q7);
    if (base + b <= span) break;
    const c = distance2(p2, 0, q0, q1) + distance2(p2, 16, q2, q3) + distance2(p2, 32, q4, q5) + distance2(p2, 48, q6, q7);
    if (base + c <= span) break;
    const e = distance2(p3, 0, q0, q1) + distance2(p3, 16, q2, q3) + distance2(p3, 32, q4, q5) + distance2(p3, 48, q6, q7);
    if (base + e <= span) break;
    p += 64;
    p1 += 64;
    p2 += 64;
    p3 += 64;
  }
  return p;
}

// Puts a base row into the heap if it may be an answer and is good enough; the new rank of the worst.
function considerRow(s: usize, row: u32, r: u32): u32 {
  const tieKey = load<u64>(tieKeys + (<usize>row << 3));
  if (!isBeforeCursor(s, r, tieKey) && isEligible(s, row)) consider(s, r, tieKey);
  return worstRank(s);
}

/** Hamming distance of the fine code at p to the query's. */
function fineDistance(s: usize, p: usize): u32 {
  let d: u64 = 0;
  for (let w: usize = 0; w < fineWords; w++) {
    d += popcnt<u64>(load<u64>(p + (w << 3)) ^ load<u64>(s + (w << 3), FINE_QUERY));
  }
  return <u32>d;
}
