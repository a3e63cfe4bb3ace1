import { readFile } from 'node:fs/promises';

/** The largest k of a query, and so the size of a heap. Keep these equal to assembly/kernel.ts. */
export const K_MAX = 10_000;
/** Codes of a base in one block (assembly/blocks.ts). */
export const BLOCK_CODES = 128;
/** Blocks in a row that are passed over at once where all are far. */
export const SPAN_BLOCKS = 32;
/** The largest code that the kernel takes, in 64-bit words. */
export const CODE_WORDS_MAX = 4;
/** The largest fine code that the kernel takes, in 64-bit words. */
export const FINE_WORDS_MAX = 8;

/** Byte offsets within the scratch of one task; assembly/kernel.ts draws it. */
export const SCRATCH = {
  thr: 0,
  total: 4,
  heapCount: 12,
  candidateCount: 16,
  afterKey: 48,
  query: 64,
  fineQuery: 128,
  hist: 256,
  histBytes: 257 * 4,
  heap: 2048,
  carry: 2048 + K_MAX * 16,
  candidates: 2048 + 2 * K_MAX * 16,
  byteLength: 458_752,
} as const;

/** What assembly/kernel.ts exports. `s` is the byte offset of a scratch; rows, groups and counts are unsigned. */
export interface KernelExports {
  configure(
    ...layout: [
      codeWords: number,
      fineWords: number,
      baseRows: number,
      groups: number,
      isGrouped: number,
      codes: number,
      blockBits: number,
      starts: number,
      tieKeys: number,
      fines: number,
      deadBits: number,
      tombstoneLog: number,
      tombstoneCount: number,
      deltaCodes: number,
      deltaTieKeys: number,
      deltaFines: number,
      chunkCount: number,
      chunkHeads: number,
      idBytes: number,
      attributes: number,
      attributeOrder: number,
      deltaAttributes: number,
    ]
  ): void;
  begin(
    ...query: [
      s: number,
      k: number,
      maxDistance: number,
      tombstones: number,
      fine: number,
      partition: number,
      filter: number,
      afterRank: number,
      countFrom: number,
    ]
  ): void;
  scanBase(s: number): void;
  scanHome(s: number): void;
  scanNear(s: number): number;
  countNear(s: number): number;
  scanDelta(s: number, from: number, to: number): void;
  countProbe(s: number, chunk: number, radius: number): number;
  probe(s: number, chunk: number, radius: number): void;
  listRows(s: number, from: number, to: number): void;
  rank(s: number, limit: number): void;
  absorb(s: number, count: number): void;
  sortHeap(s: number): void;
}

/** Compiles the kernel that scripts/build-kernel.mjs left beside this file. */
export async function compileKernel(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('./kernel.wasm', import.meta.url)));
}

/** The kernel on one segment's memory. Instances on one memory share nothing but that memory. */
export function instantiateKernel(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
}
