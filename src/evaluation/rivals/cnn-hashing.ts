import { Random } from '../../core/random.js';
import type { Rival } from './rival.js';
import { STEADINESS, trainOnTrunk } from './trunk-training.js';

const HYPER_PARAMETERS = {
  /** Sweeps of coordinate descent over all entries of the codes. */
  sweeps: 5,
  learningRate: 0.004,
  ...STEADINESS,
} as const;

/**
 * CNN hashing, in two stages. First codes H in [-1, 1] are found for the training images so that H H' / k comes close
 * to S (1 for similar pairs, -1 for dissimilar ones); then a network is trained to predict the signs of H from the
 * images (tanh outputs, squared error). What the network finds hard does not flow back into the codes, which is what
 * later methods improved.
 */
export const cnnHashing: Rival = {
  name: 'cnnh',
  title: 'CNNH',
  citation:
    'R. Xia, Y. Pan, H. Lai, C. Liu, S. Yan, Supervised Hashing for Image Retrieval via Image Representation Learning, AAAI 2014',
  input: 'images',
  supervised: true,
  hyperParameters: HYPER_PARAMETERS,
  fit: (training, options) => {
    const { codeBits, seed } = options;
    const targets = approximateCodes(training.images.labels, codeBits, seed).map((value) =>
      value >= 0 ? 1 : -1,
    );
    return trainOnTrunk(training, options, {
      wiring: 'dense',
      learningRate: HYPER_PARAMETERS.learningRate,
      steady: true,
      orthogonality: 0,
      lossGradient: ({ outputs, rows }) =>
        outputs.map((output, at) => {
          const row = rows[Math.floor(at / codeBits)] as number;
          const h = Math.tanh(output);
          return ((h - (targets[row * codeBits + (at % codeBits)] as number)) * (1 - h * h)) / rows.length;
        }),
    });
  },
};

/**
 * Codes H, shape [labels.length, codeBits], within [-1, 1], that lower |codeBits S - H H'|^2 by coordinate descent: for
 * one entry at a time the second-order (Newton) step, clipped to the interval.
 *
 * With R = H H' - codeBits S, the loss changes with entry (i, j) by 4 (R h_j)_i d + 2 (|h_j|^2 + h_ij^2 + R_ii) d^2 + ...
 * R is never formed: (H H' h_j)_i needs only the products c_t = h_t' h_j, which are kept up to date, and S has one block
 * per class, so (S h_j)_i is twice the class's sum of h_j minus its total.
 */
export function approximateCodes(labels: Uint16Array, codeBits: number, seed: number): Float64Array {
  const count = labels.length;
  const random = new Random(seed);
  const codes = Float64Array.from({ length: count * codeBits }, () => random.between(-1, 1));
  for (let sweep = 0; sweep < HYPER_PARAMETERS.sweeps; sweep++) {
    for (let j = 0; j < codeBits; j++) sweepColumn(codes, labels, codeBits, j);
  }
  return codes;
}

function sweepColumn(codes: Float64Array, labels: Uint16Array, codeBits: number, j: number): void {
  const count = labels.length;
  const products = new Float64Array(codeBits);
  const classSums = new Map<number, number>();
  let total = 0;
  for (let i = 0; i < count; i++) {
    const own = codes[i * codeBits + j] as number;
    for (let t = 0; t < codeBits; t++)
      products[t] = (products[t] as number) + (codes[i * codeBits + t] as number) * own;
    classSums.set(labels[i] as number, (classSums.get(labels[i] as number) ?? 0) + own);
    total += own;
  }
  for (let i = 0; i < count; i++) {
    const row = i * codeBits;
    const own = codes[row + j] as number;
    const classSum = classSums.get(labels[i] as number) as number;
    let slope = -codeBits * (2 * classSum - total);
    let norm = 0;
    for (let t = 0; t < codeBits; t++) {
      const value = codes[row + t] as number;
      slope += value * (products[t] as number);
      norm += value * value;
    }
    const curvature = (products[j] as number) + own * own + norm - codeBits;
    const wanted = curvature > 0 ? own - slope / curvature : slope > 0 ? -1 : 1;
    const change = Math.min(1, Math.max(-1, wanted)) - own;
    if (change === 0) continue;
    for (let t = 0; t < codeBits; t++) {
      if (t !== j) products[t] = (products[t] as number) + change * (codes[row + t] as number);
    }
    products[j] = (products[j] as number) + change * (2 * own + change);
    classSums.set(labels[i] as number, classSum + change);
    total += change;
    codes[row + j] = own + change;
  }
}
