// The layout of the segment whose memory this is. Every thread has its own instance, so these are set once per thread
// and segment. All are byte offsets or counts; segment-layout.ts explains each.

export let codeWords: u32 = 1;
export let fineWords: u32 = 0;
export let baseRows: u32 = 0;
export let groups: u32 = 0;
export let grouped: bool = false;
export let codes: usize = 0;
/** Codes of the base in one block (blocks.ts). */
export const BLOCK_CODES_LOG2: u32 = 7;
/** Blocks in one span. */
export const SPAN_BLOCKS: u32 = 32;
export let blockBits: usize = 0;
export let starts: usize = 0;
export let tieKeys: usize = 0;
export let fines: usize = 0;
export let deadBits: usize = 0;
export let tombstoneLog: usize = 0;
export let tombstoneCount: usize = 0;
export let deltaCodes: usize = 0;
export let deltaTieKeys: usize = 0;
export let deltaFines: usize = 0;

// numbers of the rows' attribute sets; the base has the first two only where some row of it has a number above 0
export let attributes: usize = 0;
export let attributeOrder: usize = 0;
export let deltaAttributes: usize = 0;

// chunk tables: heads of 20 bytes {word u32, shift u32, bits u32, offsets u32, ids u32 (0: the codes' own order)}
export let chunkCount: u32 = 0;
export let chunkHeads: usize = 0;
export let idBytes: usize = 0;
export const CHUNK_HEAD_BYTES: usize = 20;

/** @param isGrouped false: the base holds one code per row and there is no `starts` column */
export function configure(
  codeWords_: u32, fineWords_: u32, baseRows_: u32, groups_: u32, isGrouped: bool,
  codes_: usize, blockBits_: usize, starts_: usize, tieKeys_: usize, fines_: usize,
  deadBits_: usize, tombstoneLog_: usize, tombstoneCount_: usize,
  deltaCodes_: usize, deltaTieKeys_: usize, deltaFines_: usize,
  chunkCount_: u32, chunkHeads_: usize, idBytes_: usize,
  attributes_: usize, attributeOrder_: usize, deltaAttributes_: usize,
): void {
  codeWords = codeWords_; fineWords = fineWords_; baseRows = baseRows_; groups = groups_; grouped = isGrouped;
  codes = codes_; blockBits = blockBits_; starts = starts_; tieKeys = tieKeys_; fines = fines_;
  deadBits = deadBits_; tombstoneLog = tombstoneLog_; tombstoneCount = tombstoneCount_;
  deltaCodes = deltaCodes_; deltaTieKeys = deltaTieKeys_; deltaFines = deltaFines_;
  chunkCount = chunkCount_; chunkHeads = chunkHeads_; idBytes = idBytes_;
  attributes = attributes_; attributeOrder = attributeOrder_; deltaAttributes = deltaAttributes_;
}
