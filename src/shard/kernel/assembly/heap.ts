import { CARRY, HEAP, HEAP_COUNT, K, PARTITION } from './scratch';

// Entries {rank u32 = distance << 16 | fine distance, partition u32, tieKey u64}, the worst on top.

// The rank beyond which nothing enters: that of the worst entry once the heap is full.
export function worstRank(s: usize): u32 {
  return load<u32>(s, HEAP_COUNT) < load<u32>(s, K) ? 0xffffffff : load<u32>(s, HEAP);
}

export function tooLate(s: usize, r: u32, tieKey: u64): bool {
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

// One entry; memory.copy is a call, which costs more than the rest of a step.
// @ts-ignore: decorator
@inline
function move(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from));
  store<u64>(to, load<u64>(from, 8), 8);
}

function put(at: usize, r: u32, partition: u32, tieKey: u64): void {
  store<u32>(at, r);
  store<u32>(at, partition, 4);
  store<u64>(at, tieKey, 8);
}

export function consider(s: usize, r: u32, tieKey: u64): void {
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
      move(heap + (i << 4), at);
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
    move(heap + (i << 4), at);
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
    move(end, heap);
    siftDown(heap, last - 1, r, partition, tieKey);
  }
}
