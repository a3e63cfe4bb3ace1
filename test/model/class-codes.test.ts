import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { settledClassCodes } from '../../src/model/class-codes.js';

describe('the codes that classes settle on', () => {
  it('take the signs of the class means', () => {
    const codes = settledClassCodes(Float64Array.of(0.1, -2, -0.1, 3), [10, 10], 2);
    assert.deepEqual([...codes], [1, -1, -1, 1]);
  });

  it('move the least sure class over where a bit is set for too few images', () => {
    // bit 0: only the first of six classes of equal size is set; class 3 is the least sure of the other side
    const means = Float64Array.of(1, 1, -1, 1, -2, 1, -0.2, -1, -1, -1, -3, -1);
    const codes = settledClassCodes(means, [5, 5, 5, 5, 5, 5], 2);
    const bit0 = [0, 1, 2, 3, 4, 5].map((label) => codes[2 * label]);
    assert.deepEqual(bit0, [1, -1, -1, 1, -1, -1]);
  });

  it('counts images, not classes', () => {
    // set for one class of three, but that one holds half of the images: nothing to mend
    const means = Float64Array.of(1, 1, -0.1, 1, -0.1, -1);
    assert.deepEqual([...settledClassCodes(means, [50, 25, 25], 2)], [1, 1, -1, 1, -1, -1]);
  });

  it('never brings two classes nearer than the nearest two were', () => {
    // moving class 1 or 2 in bit 0 would give it the code of class 0
    const means = Float64Array.of(1, -0.1, -0.2);
    const codes = settledClassCodes(Float64Array.of(...means, 1, 1, 1), [1, 10, 10, 1, 1, 1], 1);
    assert.equal(new Set(codes).size, 2);
  });

  it('leaves a class alone that is nearly the whole data', () => {
    assert.deepEqual([...settledClassCodes(Float64Array.of(0.1, -1), [95, 5], 1)], [1, -1]);
  });
});
