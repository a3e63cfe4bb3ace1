import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { hashingNetwork, sizeOfShape } from '../../src/model/network.js';
import { carryOverWeights, initialWeights } from '../../src/model/weights.js';

describe('the network', () => {
  it("is the paper's branch: 5×5 convolutions of 32, 32 and 64 filters, 500 units, k units", () => {
    const { parameters } = hashingNetwork({ inputSize: 64, codeBits: 48 });
    assert.deepEqual(
      parameters.map(({ name, shape }) => `${name} ${shape.join('×')}`),
      [
        'conv1/kernel 5×5×1×32',
        'conv1/bias 32',
        'conv2/kernel 5×5×32×32',
        'conv2/bias 32',
        'conv3/kernel 5×5×32×64',
        'conv3/bias 64',
        'fc1/kernel 4096×500',
        'fc1/bias 500',
        'fc2/kernel 500×48',
        'fc2/bias 48',
      ],
    );
  });

  it('refuses sizes out of range', () => {
    for (const options of [
      { inputSize: 15, codeBits: 48 },
      { inputSize: 64.5, codeBits: 48 },
      { inputSize: 64, codeBits: 20 },
      { inputSize: 64, codeBits: 0 },
      { inputSize: 64, codeBits: 48, fineCodeBits: 501 },
    ]) {
      assert.throws(
        () => hashingNetwork(options),
        (error) => error instanceof KinscanError && error.code === 'INVALID_ARGUMENT',
      );
    }
  });
});

describe('initial weights', () => {
  const network = hashingNetwork({ inputSize: 32, codeBits: 16 });

  it('are uniform within the limit of Xavier and use all of it; biases are 0', () => {
    const weights = initialWeights(network, 1);
    for (const { name, role, fanIn, fanOut, shape } of network.parameters) {
      const values = weights.get(name) as Float32Array;
      assert.equal(values.length, sizeOfShape(shape));
      const greatest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const limit = role === 'bias' ? 0 : Math.sqrt(6 / (fanIn + fanOut));
      assert.ok(greatest <= limit && greatest >= limit * 0.98, name);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      assert.ok(Math.abs(mean) <= limit / 5, `${name} has mean ${mean}`);
    }
  });

  it('follow from the seed', () => {
    assert.deepEqual(initialWeights(network, 1), initialWeights(network, 1));
    assert.notDeepEqual(initialWeights(network, 1), initialWeights(network, 2));
  });
});

describe('carrying layers over', () => {
  const short = hashingNetwork({ inputSize: 32, codeBits: 16 });
  const source = initialWeights(short, 1);

  it('copies equal layers and keeps the old units in front of a wider hash layer', () => {
    const wide = hashingNetwork({ inputSize: 32, codeBits: 24 });
    const { weights, carried, widened, fresh } = carryOverWeights(source, wide, 2);
    assert.deepEqual(widened, ['fc2/kernel', 'fc2/bias']);
    assert.deepEqual(fresh, []);
    assert.equal(carried.length, 8);
    assert.deepEqual(weights.get('fc1/kernel'), source.get('fc1/kernel'));
    const [old, kernel, own] = [source, weights, initialWeights(wide, 2)].map(
      (set) => set.get('fc2/kernel') as Float32Array,
    );
    for (const row of [0, 499]) {
      assert.deepEqual(kernel?.slice(row * 24, row * 24 + 16), old?.slice(row * 16, row * 16 + 16));
      assert.deepEqual(kernel?.slice(row * 24 + 16, row * 24 + 24), own?.slice(row * 24 + 16, row * 24 + 24));
    }
  });

  it('starts fc1 afresh where the input has another size', () => {
    const { fresh, carried } = carryOverWeights(source, hashingNetwork({ inputSize: 64, codeBits: 16 }), 2);
    assert.deepEqual(fresh, ['fc1/kernel']);
    assert.ok(carried.includes('conv3/kernel'));
  });
});
