// The search kernel: AssemblyScript, compiled to WebAssembly by scripts/build-kernel.mjs, run on the shared memory of
// one segment. No heap, no data section: everything lies where segment-layout.ts puts it and is passed as byte offsets.
// docs/search.md explains the structure; ../kernel.ts is the typed door to what is exported here.
import { fineWords } from './layout';
import {
  CAND_COUNT, COMPLETED, FINE, HEAP_COUNT, HIST, K, PARTITION, PROBED, THR, TOMBSTONES, TOTAL,
} from './scratch';

export { configure } from './layout';
export { scanBase, scanDelta } from './scan';
export { countProbe, probe } from './probe';
export { rank } from './rank';
export { absorb, sortHeap } from './heap';

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
