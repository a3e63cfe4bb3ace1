// The search kernel: AssemblyScript, compiled to WebAssembly by scripts/build-kernel.mjs, run on the shared memory of
// one segment. No heap, no data section: everything lies where segment-layout.ts puts it and is passed as byte offsets.
// docs/search.md explains the structure; kernel.ts is the typed door to it. Keep the constants equal to kernel.ts.
//
//   scratch, one per running task ("s" below):
//   0       THR u32        rows farther than this cannot be in the answer any more
//   4       TOTAL u32      sum of hist[0 .. THR]
//   8       K u32
//   12      HEAP_COUNT u32
//   16      CAND_COUNT u32
//   20      TOMBSTONES u32 the snapshot: tombstones from this one on do not count yet
//   24      FINE u32       1: rank by fine codes within a distance
//   28      PARTITION u32
//   32      PROBED u32     1: some of `completed` is not 0
//   64      the query's code, 32 bytes
//   128     the query's fine code, 64 bytes
//   256     hist u32[257]: rows seen per distance (at least; never more than are alive)
//   1344    completed u32[32]: per chunk, how many radii of it were probed (0, 1, ... completed - 1)
//   2048    heap: K_MAX entries of 16 bytes, the worst on top
//   162048  carry: K_MAX entries, the heap of the partition before
//   322048  candidates: CANDIDATES_MAX entries u64 = distance << 32 | id
//   453120  gathered u32[GATHERED_MAX]: ids of codes to visit

const THR: usize = 0;
const TOTAL: usize = 4;
const K: usize = 8;
const HEAP_COUNT: usize = 12;
const CAND_COUNT: usize = 16;
const TOMBSTONES: usize = 20;
const FINE: usize = 24;
const PARTITION: usize = 28;
const PROBED: usize = 32;
const QUERY: usize = 64;
const FINE_QUERY: usize = 128;
const HIST: usize = 256;
const COMPLETED: usize = 1344;
const HEAP: usize = 2048;
const CARRY: usize = 162048;
const CANDIDATES: usize = 322048;
const CANDIDATES_MAX: u32 = 16384;
const GATHERED: usize = 453120;
const GATHERED_MAX: u32 = 1024;

/** Set in a candidate's id where it is a row of the delta, clear where it is a group of the base. */
const DELTA_FLAG: u32 = 0x80000000;

// the segment's layout; every worker has its own instance, so these are set once per worker and segment
let codeWords: u32 = 1;
let fineWords: u32 = 0;
let baseRows: u32 = 0;
let groups: u32 = 0;
let grouped: bool = false;
let codes: usize = 0;
let starts: usize = 0;
let tieKeys: usize = 0;
let fines: usize = 0;
let deadBits: usize = 0;
let tombstoneLog: usize = 0;
let tombstoneCount: usize = 0;
let deltaCodes: usize = 0;
let deltaTieKeys: usize = 0;
let deltaFines: usize = 0;

// chunk tables: heads of 20 bytes {word u32, shift u32, bits u32, offsets u32, ids u32 (0: the codes' own order)}
let chunkCount: u32 = 0;
let chunkHeads: usize = 0;
let idBytes: usize = 0;
const CHUNK_HEAD_BYTES: usize = 20;

/** @param isGrouped false: the base holds one code per row and there is no `starts` column */
export function configure(
  codeWords_: u32, fineWords_: u32, baseRows_: u32, groups_: u32, isGrouped: bool,
  codes_: usize, starts_: usize, tieKeys_: usize, fines_: usize,
  deadBits_: usize, tombstoneLog_: usize, tombstoneCount_: usize,
  deltaCodes_: usize, deltaTieKeys_: usize, deltaFines_: usize,
  chunkCount_: u32, chunkHeads_: usize, idBytes_: usize,
): void {
  codeWords = codeWords_; fineWords = fineWords_; baseRows = baseRows_; groups = groups_; grouped = isGrouped;
  codes = codes_; starts = starts_; tieKeys = tieKeys_; fines = fines_;
  deadBits = deadBits_; tombstoneLog = tombstoneLog_; tombstoneCount = tombstoneCount_;
  deltaCodes = deltaCodes_; deltaTieKeys = deltaTieKeys_; deltaFines = deltaFines_;
  chunkCount = chunkCount_; chunkHeads = chunkHeads_; idBytes = idBytes_;
}

/** Starts a query on this segment's scratch; the query's code and fine code were written to it before. */
export function begin(s: usize, k: u32, maxDistance: u32, tombstones: u32, fine: bool, partition: u32): void {
  store<u32>(s, maxDistance, THR);
  store<u32>(s, 0, TOTAL);
  store<u32>(s, k, K);
  store<u32>(s, 0, HEAP_COUNT);
  store<u32>(s, 0, CAND_COUNT);
  store<u32>(s, tombstones, TOMBSTONES);
  store<u32>(s, fine && fineWords > 0 ? 1 : 0, FINE);
  store<u32>(s, partition, PARTITION);
  store<u32>(s, 0, PROBED);
  memory.fill(s + HIST, 0, 257 * 4);
  memory.fill(s + COMPLETED, 0, 32 * 4);
}

// ---- who is alive -------------------------------------------------------------------------------------------------

// A set bit means dead now; whether it was dead at the snapshot is told by the tombstones logged since. The writer
// logs first and sets the bit last, so a set bit is always in the log.
function isDead(s: usize, row: u32): bool {
  if ((atomic.load<u32>(deadBits + ((<usize>row >> 5) << 2)) & (1 << (row & 31))) == 0) return false;
  const now = atomic.load<u32>(tombstoneCount);
  for (let i = load<u32>(s, TOMBSTONES); i < now; i++) {
    if (load<u32>(tombstoneLog + (<usize>i << 2)) == row) return false;
  }
  return true;
}

// Rows of [from, to) without a set bit, but no more than `max`: never more than are alive at the snapshot.
function countAlive(from: u32, to: u32, max: u32): u32 {
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

// ---- counting threshold -------------------------------------------------------------------------------------------

// A group or delta row at distance d <= THR was met. Returns the new threshold.
// Invariant: fewer than k rows were seen below THR, that is TOTAL - hist[THR] < k.
function offer(s: usize, id: u32, d: u32): u32 {
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

// ---- linear scan --------------------------------------------------------------------------------------------------

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

// @ts-ignore: decorator
@inline
function distance1(p: usize, at: usize, q: u64): u32 {
  return <u32>popcnt<u64>(load<u64>(p + at) ^ q);
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

// @ts-ignore: decorator
@inline
function distance2(p: usize, at: usize, q0: u64, q1: u64): u32 {
  return <u32>(popcnt<u64>(load<u64>(p + at) ^ q0) + popcnt<u64>(load<u64>(p + at + 8) ^ q1));
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

// ---- multi-index hashing ------------------------------------------------------------------------------------------
//
// Chunk c of a code is `bits` bits of one word. Its table lists the codes by the value of that chunk: those with value v
// are ids[offsets[v] .. offsets[v + 1]). The first chunk is what the codes are sorted by, so it needs no ids.
// Probing (c, r) visits every code whose chunk c differs from the query's in exactly r bits. Codes not visited after
// completed[c] radii of each chunk differ in completed[c] bits or more in every chunk, hence in sum(completed) in all.

function chunkHead(c: u32): usize {
  return chunkHeads + <usize>c * CHUNK_HEAD_BYTES;
}

function queryChunk(s: usize, head: usize): u32 {
  const word = load<u64>(s + (<usize>load<u32>(head) << 3), QUERY);
  return <u32>(word >> load<u32>(head, 4)) & ((1 << load<u32>(head, 8)) - 1);
}

// Whether an earlier probe of this query visited the code at p.
function isSeen(s: usize, p: usize): bool {
  for (let c: u32 = 0; c < chunkCount; c++) {
    const completed = load<u32>(s + (<usize>c << 2), COMPLETED);
    if (completed == 0) continue;
    const head = chunkHead(c);
    const at = <usize>load<u32>(head) << 3;
    const x = (load<u64>(p + at) ^ load<u64>(s + at, QUERY)) >> load<u32>(head, 4);
    if (<u32>popcnt<u32>(<u32>x & ((1 << load<u32>(head, 8)) - 1)) < completed) return true;
  }
  return false;
}

// The next larger number with as many bits set (Gosper); 0 has no other.
// @ts-ignore: decorator
@inline
function nextMask(mask: u32): u32 {
  const ripple = mask + (mask & (0 - mask));
  return ripple | ((ripple ^ mask) >> (2 + ctz<u32>(mask)));
}

/** Codes that probing (chunk, radius) would visit. */
export function countProbe(s: usize, chunk: u32, radius: u32): u32 {
  const head = chunkHead(chunk);
  const value = queryChunk(s, head);
  const offsets = <usize>load<u32>(head, 12);
  const end: u32 = 1 << load<u32>(head, 8);
  let count: u32 = 0;
  for (let mask: u32 = (1 << radius) - 1; mask < end; mask = nextMask(mask)) {
    const at = offsets + (<usize>(value ^ mask) << 2);
    count += load<u32>(at, 4) - load<u32>(at);
    if (mask == 0) break;
  }
  return count;
}

/**
 * Visits the codes of (chunk, radius), where radius is completed[chunk], and completes it.
 * The ids are gathered first and their codes visited then, in a loop without surprises for the branch predictor: each
 * visit misses the cache, and the processor has many misses under way at a time only if it can look ahead.
 */
export function probe(s: usize, chunk: u32, radius: u32): void {
  const head = chunkHead(chunk);
  const value = queryChunk(s, head);
  const offsets = <usize>load<u32>(head, 12);
  const ids = <usize>load<u32>(head, 16);
  const end: u32 = 1 << load<u32>(head, 8);
  let gathered: u32 = 0;
  for (let mask: u32 = (1 << radius) - 1; mask < end; mask = nextMask(mask)) {
    const at = offsets + (<usize>(value ^ mask) << 2);
    const to = load<u32>(at, 4);
    for (let i = load<u32>(at); i < to; i++) {
      store<u32>(s + GATHERED + (<usize>gathered << 2), idAt(ids, i));
      gathered++;
      if (gathered == GATHERED_MAX) {
        visit(s, gathered);
        gathered = 0;
      }
    }
    if (mask == 0) break;
  }
  visit(s, gathered);
  store<u32>(s + (<usize>chunk << 2), radius + 1, COMPLETED);
  store<u32>(s, 1, PROBED);
}

// @ts-ignore: decorator
@inline
function idAt(ids: usize, i: u32): u32 {
  if (ids == 0) return i;
  return idBytes == 4 ? load<u32>(ids + (<usize>i << 2)) : load<u32>(ids + <usize>i * 3) & 0xffffff;
}

// Offers the gathered codes that are near enough and new.
function visit(s: usize, count: u32): void {
  if (codeWords == 1) visit1(s, count);
  else visitWide(s, count);
}

// @ts-ignore: decorator
@inline
function gatheredAt(s: usize, i: u32): u32 {
  return load<u32>(s + GATHERED + (<usize>i << 2));
}

function visit1(s: usize, count: u32): void {
  const q = load<u64>(s, QUERY);
  let thr = load<u32>(s, THR);
  let i: u32 = 0;
  for (; i + 4 <= count; i += 4) {
    const id0 = gatheredAt(s, i);
    const id1 = gatheredAt(s, i + 1);
    const id2 = gatheredAt(s, i + 2);
    const id3 = gatheredAt(s, i + 3);
    const d0 = distance1(codes + (<usize>id0 << 3), 0, q);
    const d1 = distance1(codes + (<usize>id1 << 3), 0, q);
    const d2 = distance1(codes + (<usize>id2 << 3), 0, q);
    const d3 = distance1(codes + (<usize>id3 << 3), 0, q);
    if (d0 <= thr) thr = offerNew(s, id0, d0);
    if (d1 <= thr) thr = offerNew(s, id1, d1);
    if (d2 <= thr) thr = offerNew(s, id2, d2);
    if (d3 <= thr) thr = offerNew(s, id3, d3);
  }
  for (; i < count; i++) {
    const id = gatheredAt(s, i);
    const d = distance1(codes + (<usize>id << 3), 0, q);
    if (d <= thr) thr = offerNew(s, id, d);
  }
}

function visitWide(s: usize, count: u32): void {
  const bytes = <usize>codeWords << 3;
  let thr = load<u32>(s, THR);
  for (let i: u32 = 0; i < count; i++) {
    const id = gatheredAt(s, i);
    const p = codes + <usize>id * bytes;
    let d: u32 = 0;
    for (let w: usize = 0; w < bytes; w += 8) d += <u32>popcnt<u64>(load<u64>(p + w) ^ load<u64>(s + w, QUERY));
    if (d <= thr) thr = offerNew(s, id, d);
  }
}

// A probe met a code of the base: offers it, unless an earlier probe did.
function offerNew(s: usize, id: u32, d: u32): u32 {
  const thr = load<u32>(s, THR);
  return d > thr || isSeen(s, codes + <usize>id * (<usize>codeWords << 3)) ? thr : offer(s, id, d);
}

// ---- ranking: candidates -> heap ----------------------------------------------------------------------------------

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

// The same for 256-bit fine codes, the default, with the query in locals.
function rankFine4(s: usize, from: u32, to: u32, d: u32): void {
  const q0 = load<u64>(s, FINE_QUERY);
  const q1 = load<u64>(s, FINE_QUERY + 8);
  const q2 = load<u64>(s, FINE_QUERY + 16);
  const q3 = load<u64>(s, FINE_QUERY + 24);
  let worst = worstRank(s);
  let p = fines + (<usize>from << 5);
  for (let row = from; row < to; row++, p += 32) {
    const r = (d << 16) | (distance2(p, 0, q0, q1) + distance2(p, 16, q2, q3));
    if (r <= worst && !isDead(s, row)) {
      consider(s, r, load<u64>(tieKeys + (<usize>row << 3)));
      worst = worstRank(s);
    }
  }
}

function fineDistance(s: usize, p: usize): u32 {
  let d: u64 = 0;
  for (let w: usize = 0; w < fineWords; w++) {
    d += popcnt<u64>(load<u64>(p + (w << 3)) ^ load<u64>(s + (w << 3), FINE_QUERY));
  }
  return <u32>d;
}

// ---- the heap: entries {rank u32 = distance << 16 | fine, partition u32, tieKey u64}, the worst on top ------------

// The rank beyond which nothing enters: that of the worst entry once the heap is full.
function worstRank(s: usize): u32 {
  return load<u32>(s, HEAP_COUNT) < load<u32>(s, K) ? 0xffffffff : load<u32>(s, HEAP);
}

function tooLate(s: usize, r: u32, tieKey: u64): bool {
  if (load<u32>(s, HEAP_COUNT) < load<u32>(s, K)) return false;
  const worst = load<u32>(s, HEAP);
  return r > worst || (r == worst && tieKey >= load<u64>(s, HEAP + 8));
}

// @ts-ignore: decorator
@inline
function isWorse(a: usize, r: u32, tieKey: u64): bool {
  const ar = load<u32>(a);
  return ar > r || (ar == r && load<u64>(a, 8) > tieKey);
}

function put(at: usize, r: u32, partition: u32, tieKey: u64): void {
  store<u32>(at, r);
  store<u32>(at, partition, 4);
  store<u64>(at, tieKey, 8);
}

function consider(s: usize, r: u32, tieKey: u64): void {
  insert(s, r, load<u32>(s, PARTITION), tieKey);
}

function insert(s: usize, r: u32, partition: u32, tieKey: u64): void {
  const heap = s + HEAP;
  const count = load<u32>(s, HEAP_COUNT);
  if (count < load<u32>(s, K)) {
    store<u32>(s, count + 1, HEAP_COUNT);
    let i: usize = count;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const at = heap + (parent << 4);
      if (isWorse(at, r, tieKey)) break;
      memory.copy(heap + (i << 4), at, 16);
      i = parent;
    }
    put(heap + (i << 4), r, partition, tieKey);
  } else if (!tooLate(s, r, tieKey)) {
    siftDown(heap, count, r, partition, tieKey);
  }
}

// Puts an entry in the place of the top and lets it sink.
function siftDown(heap: usize, count: u32, r: u32, partition: u32, tieKey: u64): void {
  let i: usize = 0;
  for (;;) {
    let child = i * 2 + 1;
    if (child >= <usize>count) break;
    let at = heap + (child << 4);
    if (child + 1 < <usize>count && isWorse(at + 16, load<u32>(at), load<u64>(at, 8))) {
      child++;
      at += 16;
    }
    if (!isWorse(at, r, tieKey)) break;
    store<u64>(heap + (i << 4), load<u64>(at));
    store<u64>(heap + (i << 4), load<u64>(at, 8), 8);
    i = child;
  }
  put(heap + (i << 4), r, partition, tieKey);
}

/** Takes `count` entries that lie in the carry area (the heap of another partition) into this heap. */
export function absorb(s: usize, count: u32): void {
  if (load<u32>(s, HEAP_COUNT) == 0) {
    memory.copy(s + HEAP, s + CARRY, <usize>count << 4);
    store<u32>(s, count, HEAP_COUNT);
    return;
  }
  for (let i: usize = 0; i < count; i++) {
    const at = s + CARRY + (i << 4);
    insert(s, load<u32>(at), load<u32>(at, 4), load<u64>(at, 8));
  }
}

/** Sorts the heap in place into canonical order, the best first. The heap is none any more then. */
export function sortHeap(s: usize): void {
  const heap = s + HEAP;
  for (let last = load<u32>(s, HEAP_COUNT); last > 1; last--) {
    const end = heap + (<usize>(last - 1) << 4);
    const r = load<u32>(end);
    const partition = load<u32>(end, 4);
    const tieKey = load<u64>(end, 8);
    memory.copy(end, heap, 16);
    siftDown(heap, last - 1, r, partition, tieKey);
  }
}
