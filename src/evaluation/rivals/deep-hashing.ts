import type { Rival } from './rival.js';
import { STEADINESS, trainOnTrunk } from './trunk-training.js';

const HYPER_PARAMETERS = {
  /** Weight of the variance terms. */
  lambda1: 100,
  /** Weight of between-class minus within-class scatter. */
  alpha: 1,
  /** Weight of orthogonality of the hash layer. */
  lambda2: 0.001,
  learningRate: 0.000001,
  ...STEADINESS,
} as const;

/**
 * Deep hashing in its supervised form (SDH): tanh outputs h of the top layer are to lie near their signs b, to vary
 * over the images (balanced bits), to differ between classes and to agree within them:
 *
 *   1/2 |b - h|^2 - lambda1/2 (tr S_total + alpha tr(S_between - S_within)) + lambda2/4 |W W' - I|^2     (means over images)
 *
 * Scatter is taken about the batch's means. The authors used a fully connected network on GIST; here the terms stand
 * on the convolutional trunk that all deep methods share, as the comparison asks, and orthogonality is asked of the
 * hash layer alone.
 */
export const deepHashing: Rival = {
  name: 'dh',
  title: 'DH',
  citation:
    'V. Erin Liong, J. Lu, G. Wang, P. Moulin, J. Zhou, Deep Hashing for Compact Binary Codes Learning, CVPR 2015',
  input: 'images',
  supervised: true,
  hyperParameters: HYPER_PARAMETERS,
  fit: (training, options) =>
    trainOnTrunk(training, options, {
      wiring: 'dense',
      learningRate: HYPER_PARAMETERS.learningRate,
      steady: true,
      orthogonality: HYPER_PARAMETERS.lambda2,
      lossGradient: ({ outputs, labels }) => deepHashingLoss(outputs, labels).gradient,
    }),
};

/** @param outputs before tanh, shape [labels.length, codeBits] */
export function deepHashingLoss(
  outputs: Float64Array,
  labels: Uint16Array,
): { value: number; gradient: Float64Array } {
  const { lambda1, alpha } = HYPER_PARAMETERS;
  const count = labels.length;
  const codeBits = outputs.length / count;
  const activated = outputs.map(Math.tanh);
  const gradient = new Float64Array(outputs.length);
  let value = 0;
  for (let bit = 0; bit < codeBits; bit++) {
    const { mean, classMeans } = meansOf(activated, labels, codeBits, bit);
    for (let n = 0; n < count; n++) {
      const at = n * codeBits + bit;
      const h = activated[at] as number;
      const classMean = classMeans[labels[n] as number] as number;
      const toSign = h - (h >= 0 ? 1 : -1);
      const scatter = (h - mean) ** 2 + alpha * ((classMean - mean) ** 2 - (h - classMean) ** 2);
      value += (0.5 * toSign ** 2 - 0.5 * lambda1 * scatter) / count;
      const scatterSlope = h - mean + alpha * (classMean - mean - (h - classMean));
      gradient[at] = ((toSign - lambda1 * scatterSlope) * (1 - h * h)) / count;
    }
  }
  return { value, gradient };
}

function meansOf(
  values: Float64Array,
  labels: Uint16Array,
  codeBits: number,
  bit: number,
): { mean: number; classMeans: number[] } {
  const sums: number[] = [];
  const counts: number[] = [];
  let sum = 0;
  labels.forEach((label, n) => {
    const value = values[n * codeBits + bit] as number;
    sum += value;
    sums[label] = (sums[label] ?? 0) + value;
    counts[label] = (counts[label] ?? 0) + 1;
  });
  return {
    mean: sum / labels.length,
    classMeans: sums.map((classSum, label) => classSum / (counts[label] as number)),
  };
}
