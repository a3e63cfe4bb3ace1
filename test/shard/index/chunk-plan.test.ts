import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planChunks, type Chunk } from '../../../src/shard/index/chunk-plan.js';
import {
  expectedBucket,
  expectedNear,
  neighbourDistance,
  type CodeSample,
} from '../../../src/shard/index/code-sample.js';
import { SeededRandom } from './random-rows.js';

/** 64-bit codes; without blocks, so that a scan is taken to pass over none. */
function sampleOf(count: number, half: (i: number, high: boolean) => number): CodeSample {
  const halves = Uint32Array.from({ length: count * 2 }, (_, i) => half(i >>> 1, i % 2 === 1));
  return { count, halves, stride: 2, blockBits: new Uint32Array(0) };
}

const random = new SeededRandom(7);
const anyHalf = (): number => random.below(2 ** 32);
const uniform = sampleOf(8_192, anyHalf);
const centres = Array.from({ length: 100 }, anyHalf);
// near centres: one bit of each half flipped
const clustered = sampleOf(
  8_192,
  (i, high) => ((centres[(i % 50) + (high ? 50 : 0)] as number) ^ (1 << random.below(32))) >>> 0,
);

function plan(codes: number, sample: CodeSample, rowBytes = 16): readonly Chunk[] {
  const input = { codeBits: 64, codes, rowBytes: codes * rowBytes, codesMin: 1_000, sample: () => sample };
  return planChunks(input);
}

describe('a sample of codes', () => {
  it('tells how far the nearest code is, from the share of near pairs', () => {
    const apart = sampleOf(4, (i, high) => (high ? 0 : ([0, 1, 3, 7][i] as number)));
    // of 12 ordered pairs 6 are at distance 1 and 4 at distance 2
    assert.equal(neighbourDistance(apart, 2), 1);
    assert.equal(neighbourDistance(apart, 1), 3);
  });

  it('tells how many codes share a value of a chunk', () => {
    const sample = sampleOf(4, (i, high) => (high ? 0 : i % 2));
    // of 6 pairs 2 share their lowest bit
    assert.equal(expectedBucket(sample, { word: 0, shift: 0, bits: 1 }, 300), 100);
    assert.equal(expectedBucket(sample, { word: 0, shift: 40, bits: 8 }, 300), 300);
  });
});

describe('blocks of a sample', () => {
  // codes 0 and 255 of the low byte; a block in which all codes have bit 0, one in which none has bits 8 to 15
  const codes = sampleOf(2, (i, high) => (high || i === 0 ? 0 : 255));
  const blockBits = Uint32Array.of(1, 0, 0xffff_ffff, 0xffff_ffff, 0, 0, 0xffff_00ff, 0xffff_ffff);
  const sample = { ...codes, blockBits };

  it('tell how many codes a scan does not pass over', () => {
    // code 0 is a bit away from the first block, 255 none from both
    assert.equal(expectedNear(sample, 0, 400), 300);
    assert.equal(expectedNear(sample, 1, 400), 400);
    assert.equal(expectedNear(codes, 0, 400), 400);
  });
});

describe('the plan of chunk tables', () => {
  it('cuts every bit of the codes into chunks, the first of which is the top of the first word', () => {
    const chunks = plan(10_000_000, clustered);
    assert.ok(chunks.length > 1);
    assert.equal((chunks[0]?.shift ?? 0) + (chunks[0]?.bits ?? 0), 64);
    for (const [i, { shift, bits }] of chunks.entries()) {
      assert.equal(shift, (chunks[i + 1]?.shift ?? 0) + (chunks[i + 1]?.bits ?? 0));
      assert.ok(bits > 0);
    }
  });

  it('cuts many uniform codes so that a value is shared by a few', () => {
    assert.deepEqual(
      plan(10_000_000, uniform).map(({ bits }) => bits),
      [22, 21, 21],
    );
  });

  it('makes none where a scan passes over most blocks', () => {
    const blockBits = Uint32Array.from(
      { length: 400 },
      (_, i) => clustered.halves[(i >> 2) * 2 + (i & 1)] as number,
    );
    assert.deepEqual(plan(10_000_000, { ...clustered, blockBits }), []);
  });

  it('makes none where they would take more than three quarters of the rows, or for few codes', () => {
    assert.deepEqual(plan(10_000_000, clustered, 4), []);
    assert.deepEqual(plan(999, clustered), []);
  });
});
