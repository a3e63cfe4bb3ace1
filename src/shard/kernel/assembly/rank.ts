import { isDead } from './alive';
import { distance2 } from './distance';
import { consider, tooLate, worstRank } from './heap';
import { baseRows, deltaFines, deltaTieKeys, fines, fineWords, grouped, starts, tieKeys } from './layout';
import { CAND_COUNT, CANDIDATES, DELTA_FLAG, FINE, FINE_QUERY, THR } from './scratch';

/**
 * Ranks the candidates within the threshold into the heap and forgets them all.
 * HAMMING: the rows of a group lie in order of tie key, so the first that is too late ends the group.
 * FINE: the fine codes of a group are scanned like codes, against the worst of the heap.
 */
export function rank(s: usize): void {
  const thr = load<u32>(s, THR);
  const count = load<u32>(s, CAND_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const candidate = load<u64>(s + CANDIDATES + (<usize>i << 3));
    const d = <u32>(candidate >> 32);
    if (d > thr) continue;
    const id = <u32>candidate;
    if (id & DELTA_FLAG) rankDeltaRow(s, id & ~DELTA_FLAG, d);
    else if (!grouped) rankRows(s, id, id + 1, d);
    else rankRows(s, load<u32>(starts + (<usize>id << 2)), load<u32>(starts + (<usize>id << 2), 4), d);
  }
  store<u32>(s, 0, CAND_COUNT);
}

function rankDeltaRow(s: usize, i: u32, d: u32): void {
  if (isDead(s, baseRows + i)) return;
  const fine = load<u32>(s, FINE) ? fineDistance(s, deltaFines + <usize>i * (<usize>fineWords << 3)) : 0;
  consider(s, (d << 16) | fine, load<u64>(deltaTieKeys + (<usize>i << 3)));
}

function rankRows(s: usize, from: u32, to: u32, d: u32): void {
  if (load<u32>(s, FINE)) {
    if (fineWords == 4) rankFine4(s, from, to, d);
    else rankFine(s, from, to, d);
    return;
  }
  for (let row = from; row < to; row++) {
    const tieKey = load<u64>(tieKeys + (<usize>row << 3));
    if (tooLate(s, d << 16, tieKey)) return;
    if (!isDead(s, row)) consider(s, d << 16, tieKey);
  }
}

function rankFine(s: usize, from: u32, to: u32, d: u32): void {
  const stride = <usize>fineWords << 3;
  let worst = worstRank(s);
  let p = fines + <usize>from * stride;
  for (let row = from; row < to; row++, p += stride) {
    const r = (d << 16) | fineDistance(s, p);
    if (r <= worst && !isDead(s, row)) {
      consider(s, r, load<u64>(tieKeys + (<usize>row << 3)));
      worst = worstRank(s);
    }
  }
}

// The same for 256-bit fine codes, the default, with the query in locals, and two runs side by side as scan1 has them.
function rankFine4(s: usize, from: u32, to: u32, d: u32): void {
  const q0 = load<u64>(s, FINE_QUERY);
  const q1 = load<u64>(s, FINE_QUERY + 8);
  const q2 = load<u64>(s, FINE_QUERY + 16);
  const q3 = load<u64>(s, FINE_QUERY + 24);
  let worst = worstRank(s);
  const half: u32 = ((to - from) >> 1) & ~1;
  const middle = from + half;
  const next = <usize>half << 5;
  let p = fines + (<usize>from << 5);
  let row = from;
  for (; row < middle; row += 2, p += 64) {
    const a0 = (d << 16) | (distance2(p, 0, q0, q1) + distance2(p, 16, q2, q3));
    const b0 = (d << 16) | (distance2(p + next, 0, q0, q1) + distance2(p + next, 16, q2, q3));
    if (a0 <= worst) worst = considerRow(s, row, a0);
    if (b0 <= worst) worst = considerRow(s, row + half, b0);
    const a1 = (d << 16) | (distance2(p, 32, q0, q1) + distance2(p, 48, q2, q3));
    const b1 = (d << 16) | (distance2(p + next, 32, q0, q1) + distance2(p + next, 48, q2, q3));
    if (a1 <= worst) worst = considerRow(s, row + 1, a1);
    if (b1 <= worst) worst = considerRow(s, row + half + 1, b1);
  }
  row = middle + half;
  p += next;
  for (; row < to; row++, p += 32) {
    const r = (d << 16) | (distance2(p, 0, q0, q1) + distance2(p, 16, q2, q3));
    if (r <= worst) worst = considerRow(s, row, r);
  }
}

// Puts a base row into the heap if it is alive and good enough; the new rank of the worst.
function considerRow(s: usize, row: u32, r: u32): u32 {
  if (!isDead(s, row)) consider(s, r, load<u64>(tieKeys + (<usize>row << 3)));
  return worstRank(s);
}

function fineDistance(s: usize, p: usize): u32 {
  let d: u64 = 0;
  for (let w: usize = 0; w < fineWords; w++) {
    d += popcnt<u64>(load<u64>(p + (w << 3)) ^ load<u64>(s + (w << 3), FINE_QUERY));
  }
  return <u32>d;
}
