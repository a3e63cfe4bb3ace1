import type { Random } from '../../core/random.js';
import type { Rival } from './rival.js';
import { trainOnTrunk } from './trunk-training.js';

const HYPER_PARAMETERS = {
  /** Triplets (image, similar, dissimilar) for each image of a mini-batch. */
  tripletsPerImage: 10,
  /** Outputs beyond 0.5 +- epsilon count as 0 or 1. */
  epsilon: 0.4,
  margin: 1,
  learningRate: 0.0003,
} as const;

/** One image, one of its class and one of another, as positions in a mini-batch. */
export interface Triplet {
  readonly anchor: number;
  readonly similar: number;
  readonly dissimilar: number;
}

/**
 * DNNH: triplets, and a divide-and-encode module. The trunk's units are cut into one slice per bit; each slice gives
 * one output, squashed by a sigmoid and a piece-wise threshold (0 below 0.5 - epsilon, 1 above 0.5 + epsilon, the value
 * itself between). The loss of a triplet is
 *
 *   max(0, |h - h_similar|^2 - |h - h_dissimilar|^2 + 1)
 *
 * The authors' trunk is a Network in Network; here it is the one that all deep methods share.
 */
export const deepNeuralNetworkHashing: Rival = {
  name: 'dnnh',
  title: 'DNNH',
  citation:
    'H. Lai, Y. Pan, Y. Liu, S. Yan, Simultaneous Feature Learning and Hash Coding with Deep Neural Networks, CVPR 2015',
  input: 'images',
  supervised: true,
  hyperParameters: HYPER_PARAMETERS,
  fit: (training, options) =>
    trainOnTrunk(training, options, {
      wiring: 'divided',
      learningRate: HYPER_PARAMETERS.learningRate,
      steady: false,
      orthogonality: 0,
      lossGradient: ({ outputs, labels, random }) =>
        tripletLoss(outputs, options.codeBits, drawTriplets(labels, random)).gradient,
    }),
};

/** None for images that have no other of their class in the batch, or none of another class. */
export function drawTriplets(labels: Uint16Array, random: Random): Triplet[] {
  const triplets: Triplet[] = [];
  labels.forEach((label, anchor) => {
    const similar: number[] = [];
    const dissimilar: number[] = [];
    labels.forEach((other, n) => {
      if (other !== label) dissimilar.push(n);
      else if (n !== anchor) similar.push(n);
    });
    if (similar.length === 0 || dissimilar.length === 0) return;
    for (let i = 0; i < HYPER_PARAMETERS.tripletsPerImage; i++) {
      triplets.push({
        anchor,
        similar: similar[random.integer(similar.length)] as number,
        dissimilar: dissimilar[random.integer(dissimilar.length)] as number,
      });
    }
  });
  return triplets;
}

/** The mean loss over triplets, times the bits' share that one image has in them; gradient by outputs before the sigmoid. */
export function tripletLoss(
  outputs: Float64Array,
  codeBits: number,
  triplets: readonly Triplet[],
): { value: number; gradient: Float64Array } {
  const { epsilon, margin } = HYPER_PARAMETERS;
  const squashed = outputs.map((output) => 1 / (1 + Math.exp(-output)));
  const values = squashed.map((s) => (s < 0.5 - epsilon ? 0 : s > 0.5 + epsilon ? 1 : s));
  const slopes = new Float64Array(outputs.length);
  let value = 0;
  for (const { anchor, similar, dissimilar } of triplets) {
    const loss =
      squaredDistance(values, codeBits, anchor, similar) -
      squaredDistance(values, codeBits, anchor, dissimilar) +
      margin;
    if (loss <= 0) continue;
    value += loss / triplets.length;
    for (let bit = 0; bit < codeBits; bit++) {
      const [a, s, d] = [anchor * codeBits + bit, similar * codeBits + bit, dissimilar * codeBits + bit];
      const [va, vs, vd] = [values[a] as number, values[s] as number, values[d] as number];
      slopes[a] = (slopes[a] as number) + (2 * (vd - vs)) / triplets.length;
      slopes[s] = (slopes[s] as number) - (2 * (va - vs)) / triplets.length;
      slopes[d] = (slopes[d] as number) + (2 * (va - vd)) / triplets.length;
    }
  }
  const gradient = slopes.map((slope, at) => {
    const s = squashed[at] as number;
    return Math.abs(s - 0.5) > epsilon ? 0 : slope * s * (1 - s);
  });
  return { value, gradient };
}

function squaredDistance(values: Float64Array, codeBits: number, a: number, b: number): number {
  let sum = 0;
  for (let bit = 0; bit < codeBits; bit++) {
    sum += ((values[a * codeBits + bit] as number) - (values[b * codeBits + bit] as number)) ** 2;
  }
  return sum;
}
