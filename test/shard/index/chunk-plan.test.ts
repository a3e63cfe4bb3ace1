import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planChunks, type Chunk } from '../../../src/shard/index/chunk-plan.js';
import { expectedBucket, neighbourDistance, type CodeSample } from '../../../src/shard/index/code-sample.js';
import { SeededRandom } from './random-rows.js';

/** 64-bit codes. */
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

describe('the plan of chunk tables', () => {
  it('cuts every bit of the codes into chunks, the first of which is the top of the first word', () => {
    const chunks = plan(600_000, clustered);
    assert.ok(chunks.length > 1);
    assert.equal((chunks[0]?.shift ?? 0) + (chunks[0]?.bits ?? 0), 64);
    for (const [i, { shift, bits }] of chunks.entries()) {
      assert.equal(shift, (chunks[i + 1]?.shift ?? 0) + (chunks[i + 1]?.bits ?? 0));
      assert.ok(bits > 0);
    }
  });

  it('makes tables of uniform codes only where there are very many', () => {
    assert.deepEqual(plan(600_000, uniform), []);
    assert.ok(plan(10_000_000, uniform).length > 1);
  });

  it('makes none where they would take more than three quarters of the rows, or for few codes', () => {
    assert.deepEqual(plan(600_000, clustered, 4), []);
    assert.deepEqual(plan(999, clustered), []);
  });
});
