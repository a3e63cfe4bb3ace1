import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hammingDistance } from '../../../src/core/code.js';
import { packageRoot } from '../../../src/runtime/package-root.js';
import { layOutSegment, memoryFor } from '../../../src/shard/index/segment-layout.js';
import { SegmentReader } from '../../../src/shard/index/segment-reader.js';
import {
  BLOCK_CODES,
  CODE_WORDS_MAX,
  compileKernel,
  FINE_WORDS_MAX,
  K_MAX,
  SCRATCH,
  SPAN_BLOCKS,
} from '../../../src/shard/kernel/kernel.js';

const kernel = await compileKernel();

function readerOf(codeBits: number, codes: readonly Uint8Array[]): SegmentReader {
  const layout = layOutSegment({
    codeBits,
    fineCodeBits: 0,
    baseRows: 0,
    groups: 0,
    grouped: false,
    chunks: [],
    deltaCapacity: codes.length,
    tombstoneCapacity: 1,
    attributeSets: 0,
    attributeCapacity: 1,
    slots: 1,
  });
  const reader = new SegmentReader(kernel, {
    partition: 0,
    segmentId: 1,
    layout,
    memory: memoryFor(layout.byteLength),
  });
  codes.forEach((code, i) => reader.bytes.set(code, layout.deltaCodes + i * layout.codeWords * 8));
  return reader;
}

/** The histogram of distances up to the threshold, after a scan of all codes. */
function scan(
  reader: SegmentReader,
  query: Uint8Array,
  k: number,
  count: number,
): { thr: number; hist: number[] } {
  const s = reader.scratch(0);
  reader.bytes.fill(0, s + SCRATCH.query, s + SCRATCH.fineQuery);
  reader.bytes.set(query, s + SCRATCH.query);
  reader.kernel.begin(s, k, reader.layout.codeBits, 0, 0, 0, 0, 0, 0);
  reader.kernel.scanDelta(s, 0, count);
  const thr = reader.words[(s + SCRATCH.thr) / 4] as number;
  const at = (s + SCRATCH.hist) / 4;
  return { thr, hist: [...reader.words.subarray(at, at + thr + 1)] };
}

describe('the search kernel', () => {
  for (const codeBits of [8, 16, 40, 48, 64, 96, 128, 184, 192, 256]) {
    it(`counts what a naive loop counts, and finds the exact cut, for ${codeBits} bits`, () => {
      const code = fc.uint8Array({ minLength: codeBits / 8, maxLength: codeBits / 8 });
      fc.assert(
        fc.property(
          fc.array(code, { maxLength: 60 }),
          code,
          fc.integer({ min: 1, max: 70 }),
          (codes, query, k) => {
            const { thr, hist } = scan(readerOf(codeBits, codes), query, k, codes.length);
            const distances = codes.map((other) => hammingDistance(other, query)).sort((a, b) => a - b);
            assert.equal(thr, distances[k - 1] ?? codeBits);
            const counted = hist.map((_, d) => distances.filter((distance) => distance === d).length);
            assert.deepEqual(hist, counted);
          },
        ),
        { numRuns: 60 },
      );
    });
  }

  it('has the constants that its typed door says', async () => {
    const files = ['scratch.ts', 'layout.ts'].map((name) =>
      readFile(`${packageRoot()}src/shard/kernel/assembly/${name}`, 'utf8'),
    );
    const source = (await Promise.all(files)).join('\n');
    const constant = (name: string): number => {
      return Number(new RegExp(`^export const ${name}: (?:usize|u32) = (\\d+);`, 'm').exec(source)?.[1]);
    };
    assert.deepEqual(
      [
        'THR',
        'TOTAL',
        'HEAP_COUNT',
        'CAND_COUNT',
        'QUERY',
        'FINE_QUERY',
        'HIST',
        'HEAP',
        'CARRY',
        'CANDIDATES',
      ].map(constant),
      [
        SCRATCH.thr,
        SCRATCH.total,
        SCRATCH.heapCount,
        SCRATCH.candidateCount,
        SCRATCH.query,
        SCRATCH.fineQuery,
        SCRATCH.hist,
        SCRATCH.heap,
        SCRATCH.carry,
        SCRATCH.candidates,
      ],
    );
    assert.equal(2 ** constant('BLOCK_CODES_LOG2'), BLOCK_CODES);
    assert.equal(constant('SPAN_BLOCKS'), SPAN_BLOCKS);
    assert.equal(constant('CARRY'), constant('HEAP') + K_MAX * 16);
    assert.equal(constant('CANDIDATES'), constant('CARRY') + K_MAX * 16);
    assert.ok(SCRATCH.candidates + constant('CANDIDATES_MAX') * 8 <= SCRATCH.byteLength);
    assert.equal(SCRATCH.query + CODE_WORDS_MAX * 8 <= SCRATCH.fineQuery, true);
    assert.equal(SCRATCH.fineQuery + FINE_WORDS_MAX * 8 <= SCRATCH.hist, true);
  });
});
