import { Random } from '../../core/random.js';
import { descriptorMeans, dotProduct, linearEncoder } from './linear-code.js';
import { imageCount, type ImageSet, type Rival, type RivalEncoder } from './rival.js';

const HYPER_PARAMETERS = {
  /** The hinge: similar pairs are to differ in at most rho - 1 bits, dissimilar ones in at least rho + 1. */
  rhoShareOfBits: 0.3,
  /** Weight of dissimilar pairs' loss. */
  lambda: 0.5,
  /** At most, and at most `pairsPerImage` for each training image. */
  pairs: 60_000,
  pairsPerImage: 200,
  batchPairs: 100,
  learningRate: 1,
  momentum: 0.9,
  weightDecay: 1e-4,
  descriptors: 'centred, mean norm 1',
} as const;

/**
 * Minimal loss hashing: bits are signs of linear functions, trained as a structured prediction problem with latent
 * variables. For a pair of descriptors x, y with codes h, g in {-1, 1}^k the loss is
 *
 *   similar      max(d(h, g) - rho + 1, 0)
 *   dissimilar   lambda max(rho - d(h, g) + 1, 0)           d: Hamming distance
 *
 * and its bound  max over (g, h) of [ loss(g, h) + g'Wx + h'Wy ] - max over (g, h) of [ g'Wx + h'Wy ]  is what
 * stochastic gradient descent lowers. The first maximum is found exactly: for each bit the gain of making it differ,
 * sorted, and the best number of differing bits.
 */
export const minimalLossHashing: Rival = {
  name: 'mlh',
  title: 'MLH',
  citation: 'M. Norouzi, D. J. Fleet, Minimal Loss Hashing for Compact Binary Codes, ICML 2011',
  input: 'descriptors',
  supervised: true,
  hyperParameters: HYPER_PARAMETERS,
  fit: (training, { codeBits, seed, onProgress }) =>
    Promise.resolve(fitMinimalLossHashing(training, codeBits, seed, onProgress)),
};

function fitMinimalLossHashing(
  training: ImageSet,
  codeBits: number,
  seed: number,
  onProgress?: (done: number, total: number) => void,
): RivalEncoder {
  const dimensions = training.descriptorDimensions;
  const means = descriptorMeans(training);
  const inputs = centredInputs(training, means);
  const random = new Random(seed);
  const rho = Math.max(1, Math.round(HYPER_PARAMETERS.rhoShareOfBits * codeBits));
  const directions = Array.from({ length: codeBits }, () => randomDirection(dimensions, random));
  const velocities = directions.map(() => new Float64Array(dimensions));
  const drawPair = pairSampler(training.images.labels, random);
  const pairs = Math.min(HYPER_PARAMETERS.pairs, HYPER_PARAMETERS.pairsPerImage * imageCount(training));
  const batches = Math.ceil(pairs / HYPER_PARAMETERS.batchPairs);
  for (let batch = 0; batch < batches; batch++) {
    const gradients = directions.map(() => new Float64Array(dimensions));
    for (let pair = 0; pair < HYPER_PARAMETERS.batchPairs; pair++) {
      addPairGradient(gradients, directions, inputs, drawPair(), rho);
    }
    descend(directions, velocities, gradients);
    onProgress?.(batch + 1, batches);
  }
  return linearEncoder(directions, means);
}

interface Pair {
  readonly first: number;
  readonly second: number;
  readonly similar: boolean;
}

/** Half of the pairs similar, half not. */
function pairSampler(labels: Uint16Array, random: Random): () => Pair {
  const members = new Map<number, number[]>();
  labels.forEach((label, row) => members.set(label, [...(members.get(label) ?? []), row]));
  const pick = (rows: readonly number[]) => rows[random.integer(rows.length)] as number;
  const classes = [...members.keys()];
  return () => {
    const first = random.integer(labels.length);
    const label = labels[first] as number;
    const similar = classes.length < 2 || random.uniform() < 0.5;
    if (similar) return { first, second: pick(members.get(label) as number[]), similar };
    let other = label;
    while (other === label) other = pick(classes);
    return { first, second: pick(members.get(other) as number[]), similar };
  };
}

/** Adds the gradient of the bound for one pair: (loss-augmented codes - predicted codes) times the inputs. */
function addPairGradient(
  gradients: readonly Float64Array[],
  directions: readonly Float64Array[],
  inputs: Rows,
  { first, second, similar }: Pair,
  rho: number,
): void {
  const { values, dimensions } = inputs;
  const x = directions.map((direction) => dotProduct(direction, values, first * dimensions));
  const y = directions.map((direction) => dotProduct(direction, values, second * dimensions));
  const differ = lossAugmentedDifferences(x, y, similar, rho);
  for (let bit = 0; bit < directions.length; bit++) {
    const [a, b] = [x[bit] as number, y[bit] as number];
    // The best codes with equal bits follow the sign of a + b, with differing bits the sign of a - b.
    const g = differ[bit] === true ? signOf(a - b) : signOf(a + b);
    const h = differ[bit] === true ? -g : g;
    const forFirst = (g - signOf(a)) / HYPER_PARAMETERS.batchPairs;
    const forSecond = (h - signOf(b)) / HYPER_PARAMETERS.batchPairs;
    if (forFirst === 0 && forSecond === 0) continue;
    const gradient = gradients[bit] as Float64Array;
    for (let i = 0; i < dimensions; i++) {
      const change =
        forFirst * (values[first * dimensions + i] as number) +
        forSecond * (values[second * dimensions + i] as number);
      gradient[i] = (gradient[i] as number) + change;
    }
  }
}

/**
 * Which bits differ in the codes that maximise loss(g, h) + g'x + h'y. A differing bit earns |a - b| instead of the
 * |a + b| of an equal one; so for every number of differing bits the best ones are those of largest difference.
 */
export function lossAugmentedDifferences(
  x: readonly number[],
  y: readonly number[],
  similar: boolean,
  rho: number,
): boolean[] {
  const gains = x.map((a, bit) => Math.abs(a - (y[bit] as number)) - Math.abs(a + (y[bit] as number)));
  const order = gains.map((_, bit) => bit).sort((i, j) => (gains[j] as number) - (gains[i] as number));
  let best = pairLossOf(0, similar, rho);
  let bestCount = 0;
  let gainSum = 0;
  order.forEach((bit, i) => {
    gainSum += gains[bit] as number;
    const value = pairLossOf(i + 1, similar, rho) + gainSum;
    if (value > best) {
      best = value;
      bestCount = i + 1;
    }
  });
  const differ = new Array<boolean>(x.length).fill(false);
  for (const bit of order.slice(0, bestCount)) differ[bit] = true;
  return differ;
}

function pairLossOf(distance: number, similar: boolean, rho: number): number {
  return similar
    ? Math.max(distance - rho + 1, 0)
    : HYPER_PARAMETERS.lambda * Math.max(rho - distance + 1, 0);
}

function descend(
  directions: readonly Float64Array[],
  velocities: readonly Float64Array[],
  gradients: readonly Float64Array[],
): void {
  const { learningRate, momentum, weightDecay } = HYPER_PARAMETERS;
  directions.forEach((direction, bit) => {
    const velocity = velocities[bit] as Float64Array;
    const gradient = gradients[bit] as Float64Array;
    for (let i = 0; i < direction.length; i++) {
      const slope = (gradient[i] as number) + weightDecay * (direction[i] as number);
      velocity[i] = momentum * (velocity[i] as number) - learningRate * slope;
      direction[i] = (direction[i] as number) + (velocity[i] as number);
    }
  });
}

interface Rows {
  readonly values: Float64Array;
  readonly dimensions: number;
}

/**
 * Centred descriptors scaled to a mean norm of 1, so that the learning rate suits descriptors of any unit. The code
 * does not change by the scale.
 */
function centredInputs(training: ImageSet, means: Float64Array): Rows {
  const dimensions = training.descriptorDimensions;
  const count = imageCount(training);
  const values = Float64Array.from(
    training.descriptors,
    (value, at) => value - (means[at % dimensions] as number),
  );
  let normSum = 0;
  for (let row = 0; row < count; row++) {
    normSum += Math.hypot(...values.subarray(row * dimensions, (row + 1) * dimensions));
  }
  const scale = normSum > 0 ? count / normSum : 1;
  return { values: values.map((value) => value * scale), dimensions };
}

function randomDirection(dimensions: number, random: Random): Float64Array {
  return Float64Array.from({ length: dimensions }, () => random.normal() / Math.sqrt(dimensions));
}

function signOf(value: number): 1 | -1 {
  return value >= 0 ? 1 : -1;
}
