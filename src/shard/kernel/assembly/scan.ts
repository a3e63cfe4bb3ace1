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
// two waits for the next page overlap. firstNear1 passes over what is far and meetRun sees to the codes of the round in
// which it stopped: V8 keeps no local in a register across a call, so the inner loop must be free of calls.
function scan1(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  const q = load<u64>(s, QUERY);
  const half: u32 = ((to - from) >> 1) & ~7;
  const next = <usize>half << 3;
  const first = column + (<usize>from << 3);
  const middle = first + next;
  for (let p = first; ; p += 64) {
    p = firstNear1(p, middle, p + next, q, load<u32>(s, THR));
    if (p >= middle) break;
    const i = from + <u32>((p - first) >> 3);
    meetRun(s, p, i, i + 8, flag);
    meetRun(s, p + next, i + half, i + half + 8, flag);
  }
  meetRun(s, middle + next, from + half * 2, to, flag);
}

// The first p, in steps of eight codes up to `end`, where one of the eight codes at p or, as far on, at r is near.
export function firstNear1(p: usize, end: usize, r: usize, q: u64, thr: u32): usize {
  while (p < end) {
    if (distance1(p, 0, q) <= thr) break;
    if (distance1(r, 0, q) <= thr) break;
    if (distance1(p, 8, q) <= thr) break;
    if (distance1(r, 8, q) <= thr) break;
    if (distance1(p, 16, q) <= thr) break;
    if (distance1(r, 16, q) <= thr) break;
    if (distance1(p, 24, q) <= thr) break;
    if (distance1(r, 24, q) <= thr) break;
    if (distance1(p, 32, q) <= thr) break;
    if (distance1(r, 32, q) <= thr) break;
    if (distance1(p, 40, q) <= thr) break;
    if (distance1(r, 40, q) <= thr) break;
    if (distance1(p, 48, q) <= thr) break;
    if (distance1(r, 48, q) <= thr) break;
    if (distance1(p, 56, q) <= thr) break;
    if (distance1(r, 56, q) <= thr) break;
    p += 64;
    r += 64;
  }
  return p;
}

// As scan1.
function scan2(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  const q0 = load<u64>(s, QUERY);
  const q1 = load<u64>(s, QUERY + 8);
  const half: u32 = ((to - from) >> 1) & ~3;
  const next = <usize>half << 4;
  const first = column + (<usize>from << 4);
  const middle = first + next;
  for (let p = first; ; p += 64) {
    p = firstNear2(p, middle, p + next, q0, q1, load<u32>(s, THR));
    if (p >= middle) break;
    const i = from + <u32>((p - first) >> 4);
    meetRun(s, p, i, i + 4, flag);
    meetRun(s, p + next, i + half, i + half + 4, flag);
  }
  meetRun(s, middle + next, from + half * 2, to, flag);
}

// As firstNear1, in steps of four codes.
export function firstNear2(p: usize, end: usize, r: usize, q0: u64, q1: u64, thr: u32): usize {
  while (p < end) {
    if (distance2(p, 0, q0, q1) <= thr) break;
    if (distance2(r, 0, q0, q1) <= thr) break;
    if (distance2(p, 16, q0, q1) <= thr) break;
    if (distance2(r, 16, q0, q1) <= thr) break;
    if (distance2(p, 32, q0, q1) <= thr) break;
    if (distance2(r, 32, q0, q1) <= thr) break;
    if (distance2(p, 48, q0, q1) <= thr) break;
    if (distance2(r, 48, q0, q1) <= thr) break;
    p += 64;
    r += 64;
  }
  return p;
}

// Meets those of the codes [from, to), the first of which is at p, that are near enough.
function meetRun(s: usize, p: usize, from: u32, to: u32, flag: u32): void {
  const bytes = <usize>codeWords << 3;
  let thr = load<u32>(s, THR);
  for (let i = from; i < to; i++, p += bytes) {
    let d: u32 = 0;
    for (let w: usize = 0; w < bytes; w += 8) d += <u32>popcnt<u64>(load<u64>(p + w) ^ load<u64>(s + w, QUERY));
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
