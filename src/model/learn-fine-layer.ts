import type { Augmentation } from './augmentation.js';
import { learnFineCode } from './fine-code.js';
import { standardisedBatch } from './image-batch.js';
import { FINE_FEATURES, hashingNetwork, sizeOfShape, type Network } from './network.js';
import { seededRandom } from './seeded-random.js';
import { TrainableNetwork } from './trainable-network.js';
import type { LabelledImages, Standardisation } from './training-set.js';
import type { Weights } from './weights.js';

export interface FineLayerOptions {
  readonly fineCodeBits: number;
  readonly seed: number;
}

/** The changes that a fine code is to see through. */
const CHANGES: Augmentation = { rotationDegrees: 5, shift: 0.03, scale: 0.05, intensity: 0, noise: 0.025 };
const IMAGES_MAX = 8_000;
const BATCH = 100;

/**
 * Adds the layer of the fine code to a trained network. Labels are not looked at.
 * @returns the network with the fine output, and the weights with its kernel and bias
 */
export function learnFineLayer(
  trained: Network,
  weights: Weights,
  images: LabelledImages,
  standardisation: Standardisation,
  options: FineLayerOptions,
): { network: Network; weights: Weights } {
  const { fineCodeBits, seed } = options;
  const network = hashingNetwork({ ...trained, fineCodeBits });
  const blank = network.parameters
    .filter(({ name }) => name.startsWith('fine/'))
    .map(({ name, shape }) => [name, new Float32Array(sizeOfShape(shape))] as const);
  const units = network.parameters.find(({ name }) => name === 'fine/kernel')?.fanIn as number;
  const order = seededRandom(seed, 'fine code images').shuffle([...images.labels.keys()]);
  const sample = Uint32Array.from(order.slice(0, IMAGES_MAX));
  const random = seededRandom(seed, 'fine code changes');
  const original = new Float32Array(sample.length * units);
  const changed = new Float32Array(sample.length * units);
  const encoder = new TrainableNetwork(network, new Map([...weights, ...blank]));
  try {
    for (let at = 0; at < sample.length; at += BATCH) {
      const part = sample.subarray(at, at + BATCH);
      const pixels = standardisedBatch(images, part, standardisation);
      original.set(encoder.run(pixels, part.length, FINE_FEATURES), at * units);
      const altered = standardisedBatch(images, part, standardisation, { augmentation: CHANGES, random });
      changed.set(encoder.run(altered, part.length, FINE_FEATURES), at * units);
    }
  } finally {
    encoder.close();
  }
  const { kernel, bias } = learnFineCode(original, changed, units, fineCodeBits, seed);
  return { network, weights: new Map([...weights, ['fine/kernel', kernel], ['fine/bias', bias]]) };
}
