import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { hashingNetwork } from '../../src/model/network.js';
import { seededRandom } from '../../src/model/seeded-random.js';
import { useTfBackend } from '../../src/model/tf-backend.js';
import { TrainableNetwork, type StepOptions } from '../../src/model/trainable-network.js';
import { initialWeights, type Weights } from '../../src/model/weights.js';

const IMAGES = 4;
const network = hashingNetwork({ inputSize: 16, codeBits: 8 });
const start = initialWeights(network, 1);
const random = seededRandom(2, 'pixels');
const pixels = Float32Array.from({ length: IMAGES * 16 * 16 }, () => random.normal());

before(() => useTfBackend('wasm'));

/** What one step without momentum, at a rate of 1, adds to the weights. */
function changeOf(options: Partial<StepOptions>): Weights {
  const trainable = new TrainableNetwork(network, start);
  const slope = (embeddings: Float32Array) => embeddings.map((_, i) => (i % 3) - 1);
  trainable.step(pixels, IMAGES, slope, { learningRate: 1, momentum: 0, weightDecay: 0, ...options });
  const after = trainable.weights();
  trainable.close();
  return new Map(
    [...after].map(([name, values]) => [
      name,
      values.map((value, i) => value - (start.get(name)?.[i] as number)),
    ]),
  );
}

function normOf(change: Weights): number {
  let sum = 0;
  for (const values of change.values()) for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

describe('a step of training', () => {
  it('scales a gradient that is too long down to the norm asked for, over all parameters together', () => {
    const whole = changeOf({});
    const norm = normOf(whole);
    const clipped = changeOf({ gradientNormMax: norm / 4 });
    assert.ok(Math.abs(normOf(clipped) / (norm / 4) - 1) < 1e-3);
    for (const [name, values] of clipped) {
      const wanted = whole.get(name) as Float32Array;
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      values.forEach((value, i) =>
        assert.ok(Math.abs(value - (wanted[i] as number) / 4) <= 1e-3 * largest + 1e-6, name),
      );
    }
  });

  it('leaves a gradient that is short enough as it is', () => {
    const whole = changeOf({});
    const generous = changeOf({ gradientNormMax: 2 * normOf(whole) });
    assert.deepEqual(generous, whole);
    assert.deepEqual(changeOf({ gradientNormMax: 0 }), whole);
  });

  it('counts what the gradient has outside of the network, and says how much it scaled', () => {
    const norm = normOf(changeOf({}));
    const trainable = new TrainableNetwork(network, start);
    const options = { learningRate: 1, momentum: 0, weightDecay: 0, gradientNormMax: norm };
    const slope = (embeddings: Float32Array) => embeddings.map((_, i) => (i % 3) - 1);
    const outside = { squaredNormOutside: () => 3 * norm ** 2 };
    assert.ok(Math.abs(trainable.step(pixels, IMAGES, slope, { ...options, ...outside }) - 0.5) < 1e-4);
    trainable.close();
  });

  it('does not count the decay of the weights as gradient', () => {
    const plain = changeOf({ gradientNormMax: 1e-3 });
    const decayed = changeOf({ gradientNormMax: 1e-3, weightDecay: 0.5 });
    const kernel = start.get('fc1/kernel') as Float32Array;
    (decayed.get('fc1/kernel') as Float32Array).forEach((value, i) => {
      const wanted = (plain.get('fc1/kernel')?.[i] as number) - 0.5 * (kernel[i] as number);
      assert.ok(Math.abs(value - wanted) < 1e-6);
    });
  });
});
