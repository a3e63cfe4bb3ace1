import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expectedThreshold } from '../../../src/shard/index/expected-threshold.js';

// codes of 4 bits in two chunks
const CHUNKS = [2, 2].map((bits) => ({ bits, bucketCodes: 1, sorted: false }));

describe('the expected threshold', () => {
  it('is where k rows were met, once all that are so near were met', () => {
    const counts = Uint32Array.of(1, 1, 100, 0, 0);
    // radii 0 and 1 of a chunk of two bits: what is unmet differs in 2 bits of it and in the other chunk or not
    assert.equal(expectedThreshold(counts, 1, CHUNKS, [1, 1], 4), 0);
    assert.equal(expectedThreshold(counts, 50, CHUNKS, [3, 3], 4), 2);
  });

  it('takes the rows met for the share that they are', () => {
    // of the 6 codes at distance 2, those with a bit in each chunk, 4, are unmet
    const counts = Uint32Array.of(0, 0, 100, 0, 0);
    assert.equal(expectedThreshold(counts, 299, CHUNKS, [1, 1], 4), 2);
    assert.equal(expectedThreshold(counts, 400, CHUNKS, [1, 1], 4), 4);
  });

  it('never exceeds the present one', () => {
    assert.equal(expectedThreshold(new Uint32Array(257), 10, CHUNKS, [0, 0], 3), 3);
  });
});
