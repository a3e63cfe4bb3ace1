import { distance1 } from './distance';
import { BLOCK_CODES_LOG2, CHUNK_HEAD_BYTES, chunkCount, chunkHeads, codes, codeWords, idBytes } from './layout';
import { COMPLETED, GATHERED, GATHERED_MAX, HOME, PROBED, QUERY, THR } from './scratch';
import { offer } from './threshold';

// Multi-index hashing.
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

// Whether the home block or an earlier probe of this query held the code.
function isSeen(s: usize, id: u32): bool {
  if (id >> BLOCK_CODES_LOG2 == load<u32>(s, HOME)) return true;
  const p = codes + <usize>id * (<usize>codeWords << 3);
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

// Offers a code of the base, unless it was met before.
export function offerNew(s: usize, id: u32, d: u32): u32 {
  const thr = load<u32>(s, THR);
  return d > thr || isSeen(s, id) ? thr : offer(s, id, d);
}
