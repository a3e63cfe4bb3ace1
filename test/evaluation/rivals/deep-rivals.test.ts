import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../../src/core/random.js';
import { approximateCodes, cnnHashing } from '../../../src/evaluation/rivals/cnn-hashing.js';
import { deepHashing, deepHashingLoss } from '../../../src/evaluation/rivals/deep-hashing.js';
import {
  deepNeuralNetworkHashing,
  drawTriplets,
  tripletLoss,
} from '../../../src/evaluation/rivals/deep-neural-network-hashing.js';
import { HashHead } from '../../../src/evaluation/rivals/hash-head.js';
import type { Rival } from '../../../src/evaluation/rivals/rival.js';
import { crossEntropy } from '../../../src/evaluation/rivals/shared-trunk.js';
import { siameseNetwork, siameseNetworkPlainLoss } from '../../../src/evaluation/rivals/siamese-network.js';
import { fitOptions, meanDistances, stripeSet } from './toy-sets.js';

/** Compares a gradient with central differences of the value, at every input. */
function checkGradient(
  inputs: Float64Array,
  gradient: ArrayLike<number>,
  valueAt: (inputs: Float64Array) => number,
): void {
  const step = 1e-6;
  inputs.forEach((input, i) => {
    const moved = (by: number) => inputs.map((value, at) => (at === i ? input + by : value));
    const slope = (valueAt(moved(step)) - valueAt(moved(-step))) / (2 * step);
    assert.ok(
      Math.abs(slope - (gradient[i] as number)) < 1e-6,
      `input ${i}: ${gradient[i]}, differences give ${slope}`,
    );
  });
}

const randomValues = (length: number, seed: number) => {
  const random = new Random(seed);
  return Float64Array.from({ length }, () => random.normal());
};

describe('the hash head', () => {
  it('passes back the gradient of its outputs', () => {
    for (const wiring of ['dense', 'divided'] as const) {
      const head = new HashHead(7, 3, wiring, 1);
      const slopes = randomValues(6, 2);
      const valueAt = (inputs: Float64Array) =>
        head
          .forward(Float32Array.from(inputs), 2)
          .reduce((sum, output, i) => sum + output * (slopes[i] as number), 0);
      const inputs = randomValues(14, 3).map((value) => Math.round(value * 8) / 8);
      const gradient = head.backward(slopes, 2);
      inputs.forEach((_, i) => {
        const moved = (by: number) => inputs.map((value, at) => (at === i ? value + by : value));
        const slope = valueAt(moved(0.5)) - valueAt(moved(-0.5));
        assert.ok(Math.abs(slope - (gradient[i] as number)) < 1e-6);
      });
    }
  });

  it('gives every bit of a divided head units of its own', () => {
    const head = new HashHead(7, 3, 'divided', 1);
    const readers = Array.from({ length: 7 }, (_, unit) => {
      const one = Float32Array.from({ length: 7 }, (_, i) => (i === unit ? 1 : 0));
      return [...head.forward(one, 1)].filter((output) => output !== 0).length;
    });
    assert.deepEqual(readers, [1, 1, 1, 1, 1, 1, 1]);
  });

  it('calibrated, gives every bit mean 0 and deviation 1 over the sample', () => {
    for (const wiring of ['dense', 'divided'] as const) {
      const head = new HashHead(7, 3, wiring, 1);
      const sample = Float32Array.from(randomValues(70, 4), (value) => 5 + value);
      head.calibrate(sample, 10);
      const outputs = head.forward(sample, 10);
      for (let bit = 0; bit < 3; bit++) {
        const values = [...outputs].filter((_, at) => at % 3 === bit);
        const mean = values.reduce((sum, value) => sum + value, 0) / 10;
        const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 10;
        assert.ok(Math.abs(mean) < 1e-9 && Math.abs(variance - 1) < 1e-9, `${mean}, ${variance}`);
      }
    }
  });

  it('learns a linear map by gradient descent', () => {
    const head = new HashHead(4, 2, 'dense', 1);
    const inputs = Float32Array.from(randomValues(40, 5));
    const wanted = new HashHead(4, 2, 'dense', 9).forward(inputs, 10);
    const error = () =>
      head.forward(inputs, 10).reduce((sum, output, i) => sum + (output - (wanted[i] as number)) ** 2, 0);
    const before = error();
    for (let i = 0; i < 300; i++) {
      const slopes = head.forward(inputs, 10).map((output, at) => (output - (wanted[at] as number)) / 10);
      head.step(head.gradient(inputs, slopes, 10, 0), 1, {
        learningRate: 0.1,
        momentum: 0.5,
        weightDecay: 0,
      });
    }
    assert.ok(error() < before / 1000, `${before} to ${error()}`);
  });

  it('turns rows of weights orthonormal when asked to', () => {
    const head = new HashHead(4, 2, 'dense', 1);
    const nothing = new Float32Array(4);
    for (let i = 0; i < 500; i++) {
      const gradient = head.gradient(nothing, new Float64Array(2), 1, 1);
      head.step(gradient, 1, { learningRate: 0.1, momentum: 0, weightDecay: 0 });
    }
    const columns = Array.from({ length: 4 }, (_, unit) =>
      head.forward(
        nothing.map((_, i) => (i === unit ? 1 : 0)),
        1,
      ),
    );
    const product = (a: number, b: number) =>
      columns.reduce((sum, column) => sum + (column[a] as number) * (column[b] as number), 0);
    assert.ok(
      Math.abs(product(0, 0) - 1) < 1e-3 &&
        Math.abs(product(1, 1) - 1) < 1e-3 &&
        Math.abs(product(0, 1)) < 1e-3,
    );
  });
});

describe('the losses of the deep rivals', () => {
  it('deep hashing: the gradient is that of the value', () => {
    const outputs = randomValues(12, 4);
    const labels = Uint16Array.from([0, 1, 0, 2]);
    checkGradient(
      outputs,
      deepHashingLoss(outputs, labels).gradient,
      (inputs) => deepHashingLoss(inputs, labels).value,
    );
  });

  it('DNNH: the gradient is that of the value, and 0 once triplets are far enough apart', () => {
    const labels = Uint16Array.from([0, 1, 0, 1]);
    const triplets = drawTriplets(labels, new Random(1));
    assert.ok(
      triplets.every(
        (t) =>
          labels[t.anchor] === labels[t.similar] &&
          labels[t.anchor] !== labels[t.dissimilar] &&
          t.anchor !== t.similar,
      ),
    );
    const outputs = randomValues(12, 6);
    checkGradient(
      outputs,
      tripletLoss(outputs, 3, triplets).gradient,
      (inputs) => tripletLoss(inputs, 3, triplets).value,
    );
    const apart = Float64Array.from([9, 9, 9, -9, -9, -9, 9, 9, 9, -9, -9, -9]);
    assert.equal(tripletLoss(apart, 3, triplets).value, 0);
  });

  it('the shared trunk: the gradient is that of the cross-entropy', () => {
    const labels = Uint16Array.from([0, 2, 1]);
    const outputs = randomValues(9, 8);
    checkGradient(
      outputs,
      crossEntropy(outputs, labels).gradient,
      (inputs) => crossEntropy(inputs, labels).value,
    );
  });

  it('CNNH: its first stage finds codes whose products are the similarities', () => {
    const labels = Uint16Array.from({ length: 60 }, (_, i) => i % 2);
    const codeBits = 8;
    const codes = approximateCodes(labels, codeBits, 3);
    for (let a = 0; a < 60; a++) {
      for (let b = 0; b < 60; b++) {
        let product = 0;
        for (let bit = 0; bit < codeBits; bit++)
          product += (codes[a * codeBits + bit] as number) * (codes[b * codeBits + bit] as number);
        const similarity = labels[a] === labels[b] ? 1 : -1;
        assert.ok(Math.abs(product / codeBits - similarity) < 0.05, `${a}, ${b}: ${product / codeBits}`);
      }
    }
  });
});

describe('the deep methods tell stripes apart whose single pixels say nothing', () => {
  const codeBits = 16;
  const iterations = 100;
  // Rates for a hundred mini-batches from nothing; the methods' own are for real images and longer runs.
  const methods: readonly (readonly [Rival, number])[] = [
    [deepHashing, 1e-6],
    [cnnHashing, 3e-4],
    [deepNeuralNetworkHashing, 1e-3],
    [siameseNetwork, 5e-4],
    [siameseNetworkPlainLoss, 5e-4],
  ];
  const training = stripeSet(40, 3, 1);
  const unseen = stripeSet(10, 3, 2);
  for (const [method, learningRate] of methods) {
    it(method.title, async () => {
      const encoder = await method.fit(training, {
        ...fitOptions(codeBits, iterations),
        change: { learningRate },
      });
      try {
        const values = await encoder.encode(unseen);
        assert.equal(values.length, 30 * codeBits);
        const { same, other } = meanDistances(values, codeBits, unseen.images.labels);
        // DNNH's triplets ask for one bit of difference only, the other losses for more
        assert.ok(other - same > 2 && same < other / 3, `${method.name}: same ${same}, other ${other}`);
      } finally {
        encoder.close();
      }
    });
  }
});
