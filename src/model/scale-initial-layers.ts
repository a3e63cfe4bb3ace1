import { standardisedBatch } from './image-batch.js';
import type { Network } from './network.js';
import { seededRandom } from './seeded-random.js';
import { TrainableNetwork } from './trainable-network.js';
import { standardisationOf, type LabelledImages, type Standardisation } from './training-set.js';
import { initialWeights, type Weights } from './weights.js';

const SCALING_IMAGES = 200;

/**
 * Weights to train a network from nothing with: Xavier's, every layer scaled to the training images.
 * tfjs's backend must have been chosen before.
 * @param training rows of `images` that are trained on
 */
export function scaledInitialWeights(
  network: Network,
  images: LabelledImages,
  training: Uint32Array,
  seed: number,
): Weights {
  const random = seededRandom(seed, 'scaling');
  const sample = Uint32Array.from(
    { length: SCALING_IMAGES },
    () => training[random.integer(training.length)] as number,
  );
  const standardisation = standardisationOf(images, training);
  return scaleInitialLayers(network, initialWeights(network, seed), images, sample, standardisation);
}

/**
 * Scales the kernels of fresh weights so that every layer but the last gives activations of root mean square 1 over a
 * sample (the idea of Mishkin and Matas, "All you need is a good init", ICLR 2016).
 *
 * Xavier's limits count the outgoing connections of a convolution, which overlap, and know nothing of ReLU: activations
 * shrink by half in every layer, to 0.07 at fc1. The hash layer has to make up for it with weights of 2.5, so a step
 * that moves the trunk at all throws the embeddings about, while the hash layer itself hardly learns. ReLU layers
 * without biases are homogeneous, so this changes no activation but by a factor, only how far a step goes where:
 *
 *   scale of layer l = (1 / rms of l) / (1 / rms of the layer before), both as they were
 *
 * tfjs's backend must have been chosen before.
 * @param weights with biases 0, as initialWeights gives them
 * @param sample rows of `images`
 */
export function scaleInitialLayers(
  network: Network,
  weights: Weights,
  images: LabelledImages,
  sample: Uint32Array,
  standardisation: Standardisation,
): Weights {
  const pixels = standardisedBatch(images, sample, standardisation);
  const trainable = new TrainableNetwork(network, weights);
  const scaled = new Map(weights);
  let reached = 1;
  for (const { name, kind } of network.layers) {
    if (kind !== 'convolution' && kind !== 'dense') continue;
    if (name === 'fc2') break;
    const wanted = 1 / rootMeanSquare(trainable.run(pixels, sample.length, name));
    const factor = wanted / reached;
    const kernel = weights.get(`${name}/kernel`) as Float32Array;
    scaled.set(
      `${name}/kernel`,
      kernel.map((value) => value * factor),
    );
    reached = wanted;
  }
  trainable.close();
  return scaled;
}

function rootMeanSquare(values: Float32Array): number {
  const sum = values.reduce((total, value) => total + value * value, 0);
  return Math.sqrt(Math.max(sum / values.length, 1e-12));
}
