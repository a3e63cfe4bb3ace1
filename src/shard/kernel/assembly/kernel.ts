// The search kernel: AssemblyScript, compiled to WebAssembly by scripts/build-kernel.mjs, run on the shared memory of
// one segment. No heap, no data section: everything lies where segment-layout.ts puts it and is passed as byte offsets.
// docs/search.md explains the structure; ../kernel.ts is the typed door to what is exported here. A decorator on a function, as
// @inline, is AssemblyScript's alone: TypeScript, and so every editor, is told to ignore it.
import { fineWords } from './layout';
import {
  AFTER_RANK, CAND_COUNT, COMPLETED, COUNT_FROM, FILTER, FINE, HEAP_COUNT, HIST, HOME, K, PARTITION, PROBED, THR, TOMBSTONES, TOTAL,
} from './scratch';

export { configure } from './layout';
export { scanBase, scanDelta } from './scan';
export { countNear, scanHome, scanNear } from './blocks';
export { countProbe, probe } from './probe';
export { listRows } from './list';
export { rank } from './rank';
export { absorb, sortHeap } from './heap';

/**
 * Starts a query on this segment's scratch; the query's code, its fine code and the tie key of its cursor were written
 * to it before.
 * @param filter where the bitmap of allowed attribute sets lies; 0: no filter
 * @param afterRank rank of the cursor, distance << 16 | fine distance
 * @param countFrom the cursor's distance + 1; 0: no cursor
 */
export function begin(
  s: usize, k: u32, maxDistance: u32, tombstones: u32, fine: bool, partition: u32,
  filter: u32, afterRank: u32, countFrom: u32,
): void {
  store<u32>(s, maxDistance, THR);
  store<u32>(s, 0, TOTAL);
  store<u32>(s, k, K);
  store<u32>(s, 0, HEAP_COUNT);
  store<u32>(s, 0, CAND_COUNT);
  store<u32>(s, tombstones, TOMBSTONES);
  store<u32>(s, fine && fineWords > 0 ? 1 : 0, FINE);
  store<u32>(s, partition, PARTITION);
  store<u32>(s, 0, PROBED);
  store<u32>(s, 0xffffffff, HOME);
  store<u32>(s, filter, FILTER);
  store<u32>(s, afterRank, AFTER_RANK);
  store<u32>(s, countFrom, COUNT_FROM);
  memory.fill(s + HIST, 0, 257 * 4);
  memory.fill(s + COMPLETED, 0, 32 * 4);
}
