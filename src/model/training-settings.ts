import { KinscanError } from '../core/errors.js';
import { NO_AUGMENTATION, type Augmentation } from './augmentation.js';
import type { LossName } from './loss.js';

/** Everything that decides what a training run computes; with the data it decides the weights. */
export interface TrainingSettings {
  readonly codeBits: number;
  /** Length of the fine code learned after training; 0 for none. */
  readonly fineCodeBits: number;
  readonly inputSize: number;
  readonly iterations: number;
  /** Images in a mini-batch. */
  readonly batchSize: number;
  readonly learningRate: number;
  /** How the learning rate falls, see learningRateAt. */
  readonly learningRateDecay: 'steps' | 'cosine';
  /** With 'steps' the learning rate is multiplied by this after every `learningRateStep` iterations. */
  readonly learningRateFactor: number;
  readonly learningRateStep: number;
  /** Iterations over which the learning rate rises to what its decay says, in even steps; 0 for none. */
  readonly warmUpIterations: number;
  /** Greatest norm of a mini-batch's gradient, see StepOptions; 0 for any. */
  readonly gradientNormMax: number;
  readonly momentum: number;
  /** Added to the gradient of kernels as weightDecay × weight; biases do not decay. */
  readonly weightDecay: number;
  readonly loss: LossName;
  readonly margin: number;
  readonly alpha: number;
  /** Centres the embeddings of a batch before the loss; the hash layer's bias takes the mean over at every validation. */
  readonly centre: boolean;
  /** 'all' pairs of a batch weighted 2 : 3, or 'drawn': pairs drawn 2 : 3. */
  readonly pairs: 'all' | 'drawn';
  readonly classBalance: number;
  readonly augmentation: Augmentation;
  /** Share of every class held out to choose the best checkpoint by. */
  readonly validationShare: number;
  readonly validationEvery: number;
  /** Validations without a better score after which training stops; 0 never stops early. */
  readonly patience: number;
  readonly checkpointEvery: number;
  /** Mini-batches of the head alone after training, against codes that a small change flips; 0 for none. */
  readonly settleIterations: number;
  readonly seed: number;
}

export const DEFAULT_TRAINING_SETTINGS: TrainingSettings = {
  codeBits: 48,
  fineCodeBits: 256,
  inputSize: 64,
  iterations: 2000,
  batchSize: 200,
  learningRate: 0.005,
  learningRateDecay: 'cosine',
  learningRateFactor: 0.6,
  learningRateStep: 500,
  warmUpIterations: 50,
  gradientNormMax: 10,
  momentum: 0.9,
  weightDecay: 0.004,
  loss: 'full',
  margin: 96,
  alpha: 0.01,
  centre: true,
  pairs: 'all',
  classBalance: 0.5,
  augmentation: NO_AUGMENTATION,
  validationShare: 0.1,
  validationEvery: 200,
  patience: 0,
  checkpointEvery: 100,
  settleIterations: 200,
  seed: 1,
};

const RANGES: Partial<Record<keyof TrainingSettings, readonly [min: number, max: number, whole?: true]>> = {
  fineCodeBits: [0, 512, true],
  iterations: [0, 10_000_000, true],
  batchSize: [4, 4096, true],
  learningRate: [1e-9, 10],
  learningRateFactor: [0.01, 1],
  learningRateStep: [1, 10_000_000, true],
  warmUpIterations: [0, 10_000_000, true],
  gradientNormMax: [0, 1e9],
  momentum: [0, 0.999],
  weightDecay: [0, 1],
  margin: [1e-6, 1e6],
  alpha: [0, 100],
  classBalance: [0, 1],
  validationShare: [0, 0.5],
  validationEvery: [1, 10_000_000, true],
  patience: [0, 1_000_000, true],
  checkpointEvery: [1, 10_000_000, true],
  settleIterations: [0, 1_000_000, true],
  seed: [0, 2 ** 32 - 1, true],
};

/**
 * Settings as given, compiled into settings fully resolved; the margin is 2 × codeBits unless given (DSH).
 * @throws KinscanError INVALID_ARGUMENT naming every setting out of range
 */
export function resolveTrainingSettings(given: Partial<TrainingSettings>): TrainingSettings {
  const codeBits = given.codeBits ?? DEFAULT_TRAINING_SETTINGS.codeBits;
  const settings = { ...DEFAULT_TRAINING_SETTINGS, margin: 2 * codeBits, ...given };
  const faults = Object.entries(RANGES).flatMap(([name, [min, max, whole]]) => {
    const value = settings[name as keyof TrainingSettings] as number;
    const fits = value >= min && value <= max && (whole !== true || Number.isInteger(value));
    return fits
      ? []
      : [`${name} is ${whole === true ? 'a whole number ' : ''}from ${min} to ${max}, not ${value}`];
  });
  if (settings.pairs === 'drawn' && settings.batchSize % 2 !== 0)
    faults.push('batchSize is even where pairs are drawn');
  if (faults.length > 0) throw new KinscanError('INVALID_ARGUMENT', faults.join('; '));
  return Object.freeze(settings);
}

/**
 * The learning rate of an iteration, counted from 0:
 *
 *   steps    η · factor^⌊iteration / step⌋             (PAPER.md, "Training")
 *   cosine   η · ½ (1 + cos(π · iteration / iterations))  (Loshchilov and Hutter, "SGDR", ICLR 2017, eq. 5, one cycle)
 *
 * Over eight steps of 0.6 the rate is 0.31 η on average, over a half cosine 0.5 η: it stays high for longer and ends
 * lower. A half cosine knows where it ends, so a run cannot be made longer afterwards.
 *
 * The first `warmUpIterations` have (iteration + 1) / warmUpIterations of that (Goyal et al., "Accurate, Large Minibatch
 * SGD", 2017, section 2.2).
 */
export function learningRateAt(settings: TrainingSettings, iteration: number): number {
  const { learningRateDecay, learningRateFactor, learningRateStep, iterations, warmUpIterations } = settings;
  const decay =
    learningRateDecay === 'cosine'
      ? (1 + Math.cos((Math.PI * iteration) / iterations)) / 2
      : learningRateFactor ** Math.floor(iteration / learningRateStep);
  const risen = iteration < warmUpIterations ? (iteration + 1) / warmUpIterations : 1;
  return settings.learningRate * decay * risen;
}
