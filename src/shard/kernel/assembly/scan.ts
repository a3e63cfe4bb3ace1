import { distance1, distance2 } from './distance';
import { codes, codeWords, deltaCodes, groups } from './layout';
import { offerNew } from './probe';
import { DELTA_FLAG, PROBED, QUERY, THR } from './scratch';
import { offer } from './threshold';

/** Scans all codes of the base. What was probed before is offered no second time. */
export function scanBase(s: usize): void {
  scan(s, codes, 0, groups, 0);
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

function scan1(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  const q = load<u64>(s, QUERY);
  let thr = load<u32>(s, THR);
  let i = from;
  let p = column + (<usize>from << 3);
  for (; i + 16 <= to; i += 16, p += 128) {
    const d0 = distance1(p, 0, q);
    const d1 = distance1(p, 8, q);
    const d2 = distance1(p, 16, q);
    const d3 = distance1(p, 24, q);
    const d4 = distance1(p, 32, q);
    const d5 = distance1(p, 40, q);
    const d6 = distance1(p, 48, q);
    const d7 = distance1(p, 56, q);
    if (d0 <= thr) thr = meet(s, i | flag, d0);
    if (d1 <= thr) thr = meet(s, (i + 1) | flag, d1);
    if (d2 <= thr) thr = meet(s, (i + 2) | flag, d2);
    if (d3 <= thr) thr = meet(s, (i + 3) | flag, d3);
    if (d4 <= thr) thr = meet(s, (i + 4) | flag, d4);
    if (d5 <= thr) thr = meet(s, (i + 5) | flag, d5);
    if (d6 <= thr) thr = meet(s, (i + 6) | flag, d6);
    if (d7 <= thr) thr = meet(s, (i + 7) | flag, d7);
    const d8 = distance1(p, 64, q);
    const d9 = distance1(p, 72, q);
    const d10 = distance1(p, 80, q);
    const d11 = distance1(p, 88, q);
    const d12 = distance1(p, 96, q);
    const d13 = distance1(p, 104, q);
    const d14 = distance1(p, 112, q);
    const d15 = distance1(p, 120, q);
    if (d8 <= thr) thr = meet(s, (i + 8) | flag, d8);
    if (d9 <= thr) thr = meet(s, (i + 9) | flag, d9);
    if (d10 <= thr) thr = meet(s, (i + 10) | flag, d10);
    if (d11 <= thr) thr = meet(s, (i + 11) | flag, d11);
    if (d12 <= thr) thr = meet(s, (i + 12) | flag, d12);
    if (d13 <= thr) thr = meet(s, (i + 13) | flag, d13);
    if (d14 <= thr) thr = meet(s, (i + 14) | flag, d14);
    if (d15 <= thr) thr = meet(s, (i + 15) | flag, d15);
  }
  for (; i < to; i++, p += 8) {
    const d = distance1(p, 0, q);
    if (d <= thr) thr = meet(s, i | flag, d);
  }
}

function scan2(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  const q0 = load<u64>(s, QUERY);
  const q1 = load<u64>(s, QUERY + 8);
  let thr = load<u32>(s, THR);
  let i = from;
  let p = column + (<usize>from << 4);
  for (; i + 4 <= to; i += 4, p += 64) {
    const d0 = distance2(p, 0, q0, q1);
    const d1 = distance2(p, 16, q0, q1);
    const d2 = distance2(p, 32, q0, q1);
    const d3 = distance2(p, 48, q0, q1);
    if (d0 <= thr) thr = meet(s, i | flag, d0);
    if (d1 <= thr) thr = meet(s, (i + 1) | flag, d1);
    if (d2 <= thr) thr = meet(s, (i + 2) | flag, d2);
    if (d3 <= thr) thr = meet(s, (i + 3) | flag, d3);
  }
  for (; i < to; i++, p += 16) {
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
