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

/** Fewer codes than this, 2 pages of 64-bit codes, are scanned in one run. */
const CODES_IN_RUNS_MIN: u32 = 1024;

// Of each of four runs of codes [from, to); a multiple of eight, 0 where there are few.
// Many codes are scanned in four runs side by side: at a page's end the processor's prefetching of a run stops, and the
// waits for the next pages overlap. Of few codes many may be near, and a stop must not cost a look at four runs.
function runLength(from: u32, to: u32): u32 {
  return to - from < CODES_IN_RUNS_MIN ? 0 : ((to - from) >> 2) & ~7;
}

// The runs, then what they leave. firstNearOfRuns1 and firstNear1 pass over what is far and meetRun sees to the codes of
// the round in which they stopped: V8 keeps no local in a register across a call, so the inner loops must be free of calls.
function scan1(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  const q = load<u64>(s, QUERY);
  const length = runLength(from, to);
  const next = <usize>length << 3;
  const first = column + (<usize>from << 3);
  for (let p = first, end = first + next; ; p += 64) {
    p = firstNearOfRuns1(p, end, next, q, load<u32>(s, THR));
    if (p >= end) break;
    const i = from + <u32>((p - first) >> 3);
    for (let run: u32 = 0; run < 4; run++) meetRun(s, p + next * run, i + length * run, i + length * run + 8, flag);
  }
  const end = first + (<usize>((to - from) & ~7) << 3);
  for (let p = first + next * 4; ; p += 64) {
    p = firstNear1(p, end, q, load<u32>(s, THR));
    const i = from + <u32>((p - first) >> 3);
    meetRun(s, p, i, min<u32>(i + 8, to), flag);
    if (p >= end) break;
  }
}

// The first p, in steps of eight codes up to `end`, where one of the eight codes at p, p + next, p + 2 next or p + 3 next
// is near.
export function firstNearOfRuns1(p: usize, end: usize, next: usize, q: u64, thr: u32): usize {
  let r1 = p + next;
  let r2 = r1 + next;
  let r3 = r2 + next;
  while (p < end) {
    if (distance1(p, 0, q) <= thr) break;
    if (distance1(r1, 0, q) <= thr) break;
    if (distance1(r2, 0, q) <= thr) break;
    if (distance1(r3, 0, q) <= thr) break;
    if (distance1(p, 8, q) <= thr) break;
    if (distance1(r1, 8, q) <= thr) break;
    if (distance1(r2, 8, q) <= thr) break;
    if (distance1(r3, 8, q) <= thr) break;
    if (distance1(p, 16, q) <= thr) break;
    if (distance1(r1, 16, q) <= thr) break;
    if (distance1(r2, 16, q) <= thr) break;
    if (distance1(r3, 16, q) <= thr) break;
    if (distance1(p, 24, q) <= thr) break;
    if (distance1(r1, 24, q) <= thr) break;
    if (distance1(r2, 24, q) <= thr) break;
    if (distance1(r3, 24, q) <= thr) break;
    if (distance1(p, 32, q) <= thr) break;
    if (distance1(r1, 32, q) <= thr) break;
    if (distance1(r2, 32, q) <= thr) break;
    if (distance1(r3, 32, q) <= thr) break;
    if (distance1(p, 40, q) <= thr) break;
    if (distance1(r1, 40, q) <= thr) break;
    if (distance1(r2, 40, q) <= thr) break;
    if (distance1(r3, 40, q) <= thr) break;
    if (distance1(p, 48, q) <= thr) break;
    if (distance1(r1, 48, q) <= thr) break;
    if (distance1(r2, 48, q) <= thr) break;
    if (distance1(r3, 48, q) <= thr) break;
    if (distance1(p, 56, q) <= thr) break;
    if (distance1(r1, 56, q) <= thr) break;
    if (distance1(r2, 56, q) <= thr) break;
    if (distance1(r3, 56, q) <= thr) break;
    p += 64;
    r1 += 64;
    r2 += 64;
    r3 += 64;
  }
  return p;
}

// The first p, in steps of eight codes up to `end`, where one of the eight codes at p is near.
export function firstNear1(p: usize, end: usize, q: u64, thr: u32): usize {
  while (p < end) {
    if (distance1(p, 0, q) <= thr) break;
    if (distance1(p, 8, q) <= thr) break;
    if (distance1(p, 16, q) <= thr) break;
    if (distance1(p, 24, q) <= thr) break;
    if (distance1(p, 32, q) <= thr) break;
    if (distance1(p, 40, q) <= thr) break;
    if (distance1(p, 48, q) <= thr) break;
    if (distance1(p, 56, q) <= thr) break;
    p += 64;
  }
  return p;
}

// As scan1.
function scan2(s: usize, column: usize, from: u32, to: u32, flag: u32): void {
  const q0 = load<u64>(s, QUERY);
  const q1 = load<u64>(s, QUERY + 8);
  const length = runLength(from, to);
  const next = <usize>length << 4;
  const first = column + (<usize>from << 4);
  for (let p = first, end = first + next; ; p += 64) {
    p = firstNearOfRuns2(p, end, next, q0, q1, load<u32>(s, THR));
    if (p >= end) break;
    const i = from + <u32>((p - first) >> 4);
    for (let run: u32 = 0; run < 4; run++) meetRun(s, p + next * run, i + length * run, i + length * run + 4, flag);
  }
  const end = first + (<usize>((to - from) & ~3) << 4);
  for (let p = first + next * 4; ; p += 64) {
    p = firstNear2(p, end, q0, q1, load<u32>(s, THR));
    const i = from + <u32>((p - first) >> 4);
    meetRun(s, p, i, min<u32>(i + 4, to), flag);
    if (p >= end) break;
  }
}

// As firstNearOfRuns1, in steps of four codes.
export function firstNearOfRuns2(p: usize, end: usize, next: usize, q0: u64, q1: u64, thr: u32): usize {
  let r1 = p + next;
  let r2 = r1 + next;
  let r3 = r2 + next;
  while (p < end) {
    if (distance2(p, 0, q0, q1) <= thr) break;
    if (distance2(r1, 0, q0, q1) <= thr) break;
    if (distance2(r2, 0, q0, q1) <= thr) break;
    if (distance2(r3, 0, q0, q1) <= thr) break;
    if (distance2(p, 16, q0, q1) <= thr) break;
    if (distance2(r1, 16, q0, q1) <= thr) break;
    if (distance2(r2, 16, q0, q1) <= thr) break;
    if (distance2(r3, 16, q0, q1) <= thr) break;
    if (distance2(p, 32, q0, q1) <= thr) break;
    if (distance2(r1, 32, q0, q1) <= thr) break;
    if (distance2(r2, 32, q0, q1) <= thr) break;
    if (distance2(r3, 32, q0, q1) <= thr) break;
    if (distance2(p, 48, q0, q1) <= thr) break;
    if (distance2(r1, 48, q0, q1) <= thr) break;
    if (distance2(r2, 48, q0, q1) <= thr) break;
    if (distance2(r3, 48, q0, q1) <= thr) break;
    p += 64;
    r1 += 64;
    r2 += 64;
    r3 += 64;
  }
  return p;
}

// As firstNear1, in steps of four codes.
export function firstNear2(p: usize, end: usize, q0: u64, q1: u64, thr: u32): usize {
  while (p < end) {
    if (distance2(p, 0, q0, q1) <= thr) break;
    if (distance2(p, 16, q0, q1) <= thr) break;
    if (distance2(p, 32, q0, q1) <= thr) break;
    if (distance2(p, 48, q0, q1) <= thr) break;
    p += 64;
  }
  return p;
}

// Meets those of the codes [from, to), the first of which is at p, that are near enough.
function meetRun(s: usize, p: usize, from: u32, to: u32, flag: u32): void {
  let thr = load<u32>(s, THR);
  if (codeWords == 1) {
    const q = load<u64>(s, QUERY);
    for (let i = from; i < to; i++, p += 8) {
      const d = distance1(p, 0, q);
      if (d <= thr) thr = meet(s, i | flag, d);
    }
    return;
  }
  const bytes = <usize>codeWords << 3;
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
