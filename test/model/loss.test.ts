import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KinscanError } from '../../src/core/errors.js';
import { meanOf } from '../../src/core/retrieval-metrics.js';
import { allPairs, drawnPairs, pairLoss, type LossOptions, type PairWeights } from '../../src/model/loss.js';
import { seededRandom } from '../../src/model/seeded-random.js';
import { useTfBackend } from '../../src/model/tf-backend.js';
import { tf } from '../../src/model/tf.js';

const FULL: LossOptions = { loss: 'full', margin: 4, alpha: 0.1, centre: false };
const PLAIN: LossOptions = { ...FULL, loss: 'plain' };

function near(actual: number, expected: number, tolerance = 1e-6): void {
  assert.ok(
    Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected)),
    `${actual} is not ${expected}`,
  );
}

describe('the loss of one pair, worked by hand', () => {
  const onePair = (similar: 0 | 1): PairWeights => ({
    weights: Float64Array.of(0, 1, 0, 0),
    similar: Uint8Array.of(0, similar, 0, 0),
  });
  // b1 = (1, -1), b2 = (0.5, -0.5): squared distance 0.25 + 0.25 = 0.5; |b2| is off 1 by 0.5 twice
  const embeddings = Float32Array.of(1, -1, 0.5, -0.5);

  it('is half the squared distance where the pair is similar', () => {
    const { value, gradient } = pairLoss(embeddings, 2, onePair(1), PLAIN);
    near(value, 0.25);
    assert.deepEqual([...gradient], [0.5, -0.5, -0.5, 0.5]);
  });

  it('adds the distance to a target where one is given, in place of that to the nearer of -1 and +1', () => {
    const options: LossOptions = { ...FULL, targets: Float32Array.of(1, 1, 1, -1) };
    const { value, gradient } = pairLoss(embeddings, 2, onePair(1), options);
    near(value, 0.25 + 0.1 * (0 + 2 + 0.5 + 0.5));
    [0.5, -0.5 - 0.1, -0.5 - 0.1, 0.5 + 0.1].forEach((slope, at) => near(gradient[at] as number, slope));
  });

  it('is half of what is missing to the margin where the pair is dissimilar', () => {
    const { value, gradient } = pairLoss(embeddings, 2, onePair(0), PLAIN);
    near(value, 0.5 * (4 - 0.5));
    assert.deepEqual([...gradient], [-0.5, 0.5, 0.5, -0.5]);
  });

  it('is nothing where a dissimilar pair is farther apart than the margin', () => {
    const { value, gradient } = pairLoss(Float32Array.of(2, 0, -2, 0), 2, onePair(0), PLAIN);
    assert.equal(value, 0);
    assert.deepEqual([...gradient], [0, 0, 0, 0]);
  });

  it('adds alpha times the distance of every component from -1 or +1 in the full loss', () => {
    const { value, gradient } = pairLoss(embeddings, 2, onePair(1), FULL);
    near(value, 0.25 + 0.1 * (0.5 + 0.5));
    // slopes: 1 at x >= 1; 1 at -1 <= x <= 0; -1 at 0 < x < 1; 1 at -1 <= x <= 0
    [0.5 + 0.1, -0.5 + 0.1, -0.5 - 0.1, 0.5 + 0.1].forEach((slope, at) =>
      near(gradient[at] as number, slope),
    );
  });

  it("takes the paper's slope at the kinks: +1 at -1, 0 and 1", () => {
    const { gradient } = pairLoss(Float32Array.of(-1, 0, 1, -1, 0, 1), 3, onePair(1), FULL);
    [0.1, 0.1, 0.1].forEach((slope, at) => near(gradient[at] as number, slope));
  });

  it('centres every bit over the batch first where told to', () => {
    const { value, gradient } = pairLoss(Float32Array.of(5, 7), 1, onePair(1), { ...FULL, centre: true });
    // centred: -1 and 1, squared distance 4, nothing off 1; the slopes of both, 1 + 0.1 up and down, lose their mean 0.1
    near(value, 2);
    [-2, 2].forEach((slope, at) => near(gradient[at] as number, slope));
  });
});

describe('the pairs of a mini-batch', () => {
  it('weigh 2 similar to 3 dissimilar in all', () => {
    const { weights, similar } = allPairs([0, 0, 1, 0, 2]);
    let [alike, unlike] = [0, 0];
    weights.forEach((weight, at) => (similar[at] === 1 ? (alike += weight) : (unlike += weight)));
    near(alike, 0.4);
    near(unlike, 0.6);
    assert.equal(weights.filter((weight) => weight > 0).length, 10);
  });

  it('are neighbours where they were drawn one by one', () => {
    const { weights, similar } = drawnPairs([4, 4, 1, 2]);
    assert.deepEqual(
      [...weights].flatMap((weight, at) => (weight > 0 ? [at] : [])),
      [1, 11],
    );
    assert.deepEqual([similar[1], similar[11]], [1, 0]);
  });

  it('are refused where all images are of one class, or all of different ones', () => {
    const isDataError = (error: unknown): boolean =>
      error instanceof KinscanError && error.code === 'INVALID_TRAINING_DATA';
    assert.throws(() => allPairs([1, 1, 1]), isDataError);
    assert.throws(() => allPairs([1, 2, 3]), isDataError);
  });
});

/** A batch whose components keep clear of the kinks at -1, 0 and 1, where finite differences say nothing. */
function smoothBatch(
  seed: number,
  count: number,
  bits: number,
): { embeddings: Float32Array; pairs: PairWeights } {
  const random = seededRandom(seed, 'loss test');
  const embeddings = Float32Array.from({ length: count * bits }, () => {
    const size = random.uniform() < 0.5 ? random.between(0.05, 0.95) : random.between(1.05, 1.8);
    return random.uniform() < 0.5 ? size : -size;
  });
  const labels = [0, 0, 1, ...Array.from({ length: count - 3 }, () => random.integer(3))];
  return { embeddings, pairs: allPairs(labels) };
}

describe('the gradient of the loss', () => {
  it('agrees with finite differences', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e6 }),
        fc.constantFrom(FULL, PLAIN, { ...FULL, centre: true }),
        (seed, options) => {
          const [count, bits, step] = [6, 4, 1 / 1024];
          const { embeddings, pairs } = smoothBatch(seed, count, bits);
          const { gradient } = pairLoss(embeddings, bits, pairs, options);
          for (let at = 0; at < embeddings.length; at++) {
            const [up, down] = [embeddings.slice(), embeddings.slice()];
            up[at] = (up[at] as number) + step;
            down[at] = (down[at] as number) - step;
            if (crossesKink(up, down, bits, options)) continue;
            const rise =
              pairLoss(up, bits, pairs, options).value - pairLoss(down, bits, pairs, options).value;
            near(gradient[at] as number, rise / ((up[at] as number) - (down[at] as number)), 1e-5);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('agrees with the automatic gradient of the same formula in tfjs on the cpu', async () => {
    await useTfBackend('cpu');
    for (const options of [FULL, PLAIN]) {
      const { embeddings, pairs } = smoothBatch(7, 9, 8);
      const { value, gradient } = pairLoss(embeddings, 8, pairs, options);
      const { value: tfValue, grad } = tf.valueAndGrad((b) => formulaInTf(b as tf.Tensor2D, pairs, options))(
        tf.tensor2d(embeddings, [9, 8]),
      );
      near(value, tfValue.dataSync()[0] as number, 1e-5);
      grad.dataSync().forEach((slope, at) => near(gradient[at] as number, slope, 3e-6));
    }
  });
});

/** Whether the loss has a kink between the two: there finite differences say nothing. */
function crossesKink(up: Float32Array, down: Float32Array, bits: number, options: LossOptions): boolean {
  return sidesOfKinks(up, bits, options) !== sidesOfKinks(down, bits, options);
}

function sidesOfKinks(given: Float32Array, bits: number, options: LossOptions): string {
  const means = Array.from({ length: bits }, (_, bit) =>
    meanOf(given.filter((_value, at) => at % bits === bit)),
  );
  const values = options.centre ? given.map((value, at) => value - (means[at % bits] as number)) : given;
  const sides: boolean[] = [...values].flatMap((value) => [value >= -1, value >= 0, value >= 1]);
  for (let i = 0; i < values.length; i += bits) {
    for (let j = i + bits; j < values.length; j += bits) {
      let distance = 0;
      for (let bit = 0; bit < bits; bit++)
        distance += ((values[i + bit] as number) - (values[j + bit] as number)) ** 2;
      sides.push(distance < options.margin);
    }
  }
  return sides.join();
}

function formulaInTf(b: tf.Tensor2D, pairs: PairWeights, options: LossOptions): tf.Scalar {
  const count = b.shape[0];
  const differences = tf.sub(tf.expandDims(b, 1), tf.expandDims(b, 0));
  const distances = tf.sum(tf.square(differences), 2);
  const weights = tf.tensor2d(Float32Array.from(pairs.weights), [count, count]);
  const similar = tf.tensor2d(Float32Array.from(pairs.similar), [count, count]);
  const pull = tf.mul(similar, distances);
  const push = tf.mul(tf.sub(1, similar), tf.relu(tf.sub(options.margin, distances)));
  const pairTerms = tf.mul(0.5, tf.sum(tf.mul(weights, tf.add(pull, push))));
  if (options.loss === 'plain') return pairTerms as tf.Scalar;
  const off = tf.sum(tf.abs(tf.sub(tf.abs(b), 1)), 1);
  const imageWeights = tf.add(tf.sum(weights, 0), tf.sum(weights, 1));
  return tf.add(pairTerms, tf.mul(options.alpha, tf.sum(tf.mul(imageWeights, off))));
}
