import { packEmbeddings, popcount32, type PackedCodes } from '../core/packed-codes.js';
import { SMALL_CHANGE } from './augmentation.js';
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

/** The noise is a covariance of 1,536 features: fewer images know too little of it (8,000 find 1.3 % fewer originals). */
const IMAGES_MAX = 32_000;
const BATCH = 100;
/** A code that this share of the images has makes a group of its own; rarer codes join the nearest such code. */
const GROUP_SHARE_MIN = 0.01;

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
  const embeddings = new Float32Array(sample.length * trained.codeBits);
  const encoder = new TrainableNetwork(network, new Map([...weights, ...blank]));
  try {
    for (let at = 0; at < sample.length; at += BATCH) {
      const part = sample.subarray(at, at + BATCH);
      const pixels = standardisedBatch(images, part, standardisation);
      const [embedding, features] = encoder.runAll(pixels, part.length, ['fc2', FINE_FEATURES]);
      embeddings.set(embedding as Float32Array, at * trained.codeBits);
      original.set(features as Float32Array, at * units);
      const altered = standardisedBatch(images, part, standardisation, {
        augmentation: SMALL_CHANGE,
        random,
      });
      changed.set(encoder.run(altered, part.length, FINE_FEATURES), at * units);
    }
  } finally {
    encoder.close();
  }
  const groups = groupsOfCodes(packEmbeddings(embeddings, trained.codeBits));
  const samples = { features: original, changed, units, groups };
  const { kernel, bias } = learnFineCode(samples, fineCodeBits, seed);
  return { network, weights: new Map([...weights, ['fine/kernel', kernel], ['fine/bias', bias]]) };
}

/**
 * Images of equal code are one group, since FINE compares nothing else.
 * @returns shape [codes.count]; all 0 where no code is frequent
 */
export function groupsOfCodes(codes: PackedCodes): Uint16Array {
  const { words, wordsPerCode, count } = codes;
  const firstRowOf = new Map<string, number>();
  const sizes = new Map<string, number>();
  const keys = Array.from({ length: count }, (_, row) => {
    const key = words.subarray(row * wordsPerCode, (row + 1) * wordsPerCode).join();
    if (!firstRowOf.has(key)) firstRowOf.set(key, row);
    sizes.set(key, (sizes.get(key) ?? 0) + 1);
    return key;
  });
  const frequent = [...sizes.keys()].filter((key) => (sizes.get(key) as number) >= count * GROUP_SHARE_MIN);
  const distance = (a: number, b: number): number => {
    let bits = 0;
    for (let word = 0; word < wordsPerCode; word++)
      bits += popcount32(
        (words[a * wordsPerCode + word] as number) ^ (words[b * wordsPerCode + word] as number),
      );
    return bits;
  };
  return Uint16Array.from(keys, (key) => {
    let nearest = Math.max(0, frequent.indexOf(key));
    if (frequent[nearest] === key) return nearest;
    const row = firstRowOf.get(key) as number;
    frequent.forEach((other, group) => {
      const to = firstRowOf.get(other) as number;
      const best = firstRowOf.get(frequent[nearest] as string) as number;
      if (distance(row, to) < distance(row, best)) nearest = group;
    });
    return nearest;
  });
}
