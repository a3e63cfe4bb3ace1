// The scratch of one running task ("s" everywhere): byte offsets. kernel.ts of the folder above has the same numbers.
//
//   0       THR u32        rows farther than this cannot be in the answer any more
//   4       TOTAL u32      sum of hist[0 .. THR]
//   8       K u32
//   12      HEAP_COUNT u32
//   16      CAND_COUNT u32
//   20      TOMBSTONES u32 the snapshot: tombstones from this one on do not count yet
//   24      FINE u32       1: rank by fine codes within a distance
//   28      PARTITION u32
//   32      PROBED u32     1: some of `completed` is not 0
//   36      FILTER u32     byte offset of the bitmap of allowed attribute sets; 0: every row is allowed
//   40      AFTER_RANK u32 the cursor: rows before (AFTER_RANK, AFTER_KEY) are no answers; zeros: there is none
//   44      COUNT_FROM u32 from this distance on every row is after the cursor: its distance + 1; 0: no cursor
//   48      AFTER_KEY u64
//   56      HOME u32       block of the base that scanHome scanned; NONE: none
//   64      the query's code, 32 bytes
//   128     the query's fine code, 64 bytes
//   256     hist u32[257]: rows seen per distance (at least; never more than are alive)
//   1344    completed u32[32]: per chunk, how many radii of it were probed (0, 1, ... completed - 1)
//   2048    heap: K_MAX entries of 16 bytes, the worst on top
//   162048  carry: K_MAX entries, the heap of the partition before
//   322048  candidates: CANDIDATES_MAX entries u64 = distance << 32 | id
//   453120  gathered u32[GATHERED_MAX]: ids of codes to visit

export const THR: usize = 0;
export const TOTAL: usize = 4;
export const K: usize = 8;
export const HEAP_COUNT: usize = 12;
export const CAND_COUNT: usize = 16;
export const TOMBSTONES: usize = 20;
export const FINE: usize = 24;
export const PARTITION: usize = 28;
export const PROBED: usize = 32;
export const FILTER: usize = 36;
export const AFTER_RANK: usize = 40;
export const COUNT_FROM: usize = 44;
export const AFTER_KEY: usize = 48;
export const HOME: usize = 56;
export const QUERY: usize = 64;
export const FINE_QUERY: usize = 128;
export const HIST: usize = 256;
export const COMPLETED: usize = 1344;
export const HEAP: usize = 2048;
export const CARRY: usize = 162048;
export const CANDIDATES: usize = 322048;
export const CANDIDATES_MAX: u32 = 16384;
export const GATHERED: usize = 453120;
export const GATHERED_MAX: u32 = 1024;

/** Set in a candidate's id where it is a row of the delta, clear where it is a group of the base. */
export const DELTA_FLAG: u32 = 0x80000000;
