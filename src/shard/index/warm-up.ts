import { searchSegments } from './search-segments.js';
import { layOutSegment, memoryFor } from './segment-layout.js';
import { SegmentReader, type SegmentView } from './segment-reader.js';

const ROWS = 4_096;
const ROUNDS = 200;

/**
 * Runs every path of the kernel a few hundred times on made-up rows, so that V8 compiles it with its optimising compiler
 * before the first query (about 50 ms). The machine code is shared by all threads that use the module.
 */
export function warmUpKernel(module: WebAssembly.Module, codeBits: number, fineCodeBits: number): void {
  const layout = layOutSegment({
    codeBits,
    fineCodeBits,
    baseRows: 0,
    groups: 0,
    grouped: false,
    chunks: [],
    deltaCapacity: ROWS,
    tombstoneCapacity: 1,
    attributeSets: 0,
    attributeCapacity: 1,
    slots: 1,
  });
  const memory = memoryFor(layout.byteLength);
  const reader = new SegmentReader(module, { partition: 0, segmentId: 0, layout, memory });
  const { bytes } = reader;
  for (let i = 0; i < ROWS * layout.codeWords * 8; i++)
    bytes[layout.deltaCodes + i] = (i * 2_654_435_761) >>> 13;
  for (let i = 0; i < ROWS * 8; i++) bytes[layout.deltaTieKeys + i] = (i * 2_246_822_519) >>> 17;
  const view: SegmentView = {
    reader,
    s: reader.scratch(0),
    filter: reader.filter(0),
    deltaCount: ROWS,
    tombstones: 0,
  };
  const code = new Uint8Array(layout.codeWords * 8);
  const fineCode = new Uint8Array(layout.fineWords * 8);
  for (let round = 0; round < ROUNDS; round++) {
    code[0] = round;
    searchSegments([view], {
      k: 10,
      maxDistance: codeBits,
      fine: round % 2 === 0,
      code,
      fineCode,
      allowed: undefined,
      after: undefined,
    });
  }
}
