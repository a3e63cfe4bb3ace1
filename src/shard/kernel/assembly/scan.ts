import { distance1, distance2 } from './distance';
import { codes, codeWords, deltaCodes, groups } from './layout';
import { offerNew } from './probe';
import { DELTA_FLAG, PROBED, QUERY, THR } from './scratch';
import { offer } from './threshold';

/** Scans all codes of the base. What was probed before is offered no second time. */
export function scanBase(s: usize): void {
  scan(s, codes, 0, groups, 0);
}

/** Scans codes [from, to) of the base. */
export function scanCodes(s: usize, from: u32, to: u32): void {
  scan(s, codes, from, to, 0);
}

/** Scans rows [from, to) of the delta. */
export function scanDelta(s: usize, from: u32, to: u32): void {
  scan(s, deltaCodes, from, to, DELTA_FLAG);
}

function scan(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  if (codeWords == 1) scan1(s, column, from, to, flag);
  else if (codeWords == 2) scan2(s, column, from, to, flag);
  else scanWide(s, column, from, to, flag);
}

// A scan met a code or delta row: offers it, unless a probe did.
function meet(s: usize, id: u32, d: u32): u32 {
  return load<u32>(s, PROBED) && !(id & DELTA_FLAG) ? offerNew(s, id, d) : offer(s, id, d);
}

// Two runs of the column are scanned side by side: at a page's end the processor's prefetching of a run stops, and the
// two waits for the next page overlap. One run alone takes a third longer on codes that are not in the cache.
function scan1(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  const q = load<u64>(s, QUERY);
  let thr = load<u32>(s, THR);
  const half: u32 = ((to - from) >> 1) & ~3;
  const middle = from + half;
  const next = <usize>half << 3;
  let i = from;
  let p = column + (<usize>from << 3);
  for (; i < middle; i += 4, p += 32) {
    const a0 = distance1(p, 0, q);
    const b0 = distance1(p + next, 0, q);
    if (a0 <= thr) thr = meet(s, i | flag, a0);
    if (b0 <= thr) thr = meet(s, (i + half) | flag, b0);
    const a1 = distance1(p, 8, q);
    const b1 = distance1(p + next, 8, q);
    if (a1 <= thr) thr = meet(s, (i + 1) | flag, a1);
    if (b1 <= thr) thr = meet(s, (i + half + 1) | flag, b1);
    const a2 = distance1(p, 16, q);
    const b2 = distance1(p + next, 16, q);
    if (a2 <= thr) thr = meet(s, (i + 2) | flag, a2);
    if (b2 <= thr) thr = meet(s, (i + half + 2) | flag, b2);
    const a3 = distance1(p, 24, q);
    const b3 = distance1(p + next, 24, q);
    if (a3 <= thr) thr = meet(s, (i + 3) | flag, a3);
    if (b3 <= thr) thr = meet(s, (i + half + 3) | flag, b3);
  }
  for (i = middle + half, p += next; i < to; i++, p += 8) {
    const d = distance1(p, 0, q);
    if (d <= thr) thr = meet(s, i | flag, d);
  }
}

// As scan1.
function scan2(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  const q0 = load<u64>(s, QUERY);
  const q1 = load<u64>(s, QUERY + 8);
  let thr = load<u32>(s, THR);
  const half: u32 = ((to - from) >> 1) & ~1;
  const middle = from + half;
  const next = <usize>half << 4;
  let i = from;
  let p = column + (<usize>from << 4);
  for (; i < middle; i += 2, p += 32) {
    const a0 = distance2(p, 0, q0, q1);
    const b0 = distance2(p + next, 0, q0, q1);
    if (a0 <= thr) thr = meet(s, i | flag, a0);
    if (b0 <= thr) thr = meet(s, (i + half) | flag, b0);
    const a1 = distance2(p, 16, q0, q1);
    const b1 = distance2(p + next, 16, q0, q1);
    if (a1 <= thr) thr = meet(s, (i + 1) | flag, a1);
    if (b1 <= thr) thr = meet(s, (i + half + 1) | flag, b1);
  }
  for (i = middle + half, p += next; i < to; i++, p += 16) {
    const d = distance2(p, 0, q0, q1);
    if (d <= thr) thr = meet(s, i | flag, d);
  }
}

// Three or four words. The words a code of 192 bits lacks are not read.
function scanWide(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  const q0 = load<u64>(s, QUERY);
  const q1 = load<u64>(s, QUERY + 8);
  const q2 = load<u64>(s, QUERY + 16);
  const q3 = load<u64>(s, QUERY + 24);
  const stride = <usize>codeWords << 3;
  let thr = load<u32>(s, THR);
  let p = column + <usize>from * stride;
  for (let i = from; i < to; i++, p += stride) {
    let d = distance2(p, 0, q0, q1) + <u32>popcnt<u64>(load<u64>(p + 16) ^ q2);
    if (codeWords == 4) d += <u32>popcnt<u64>(load<u64>(p + 24) ^ q3);
    if (d <= thr) thr = meet(s, i | flag, d);
  }
}
