import type { LossName } from '../../model/loss.js';
import { hashingNetwork, type Network } from '../../model/network.js';
import { chooseTfBackend } from '../../model/tf-backend.js';
import { TrainableNetwork } from '../../model/trainable-network.js';
import { type StartWeights, trainNetwork } from '../../model/trainer.js';
import type { LabelledImages, Standardisation } from '../../model/training-set.js';
import { resolveTrainingSettings, type TrainingSettings } from '../../model/training-settings.js';
import { carryOverWeights, type Weights } from '../../model/weights.js';
import type { FitOptions, ImageSet, Rival, RivalEncoder } from './rival.js';
import { encodeWith, startingWeights, STEADINESS } from './trunk-training.js';

/** Where a measurement has the rate fall in steps: parts of the budget, each with 0.6 times the rate of the one before. */
const LEARNING_RATE_STEPS = 8;
/** The learning rate at its highest for each loss; chosen on held-out images (docs/experiments.md). */
const LEARNING_RATES: Readonly<Record<LossName, number>> = { full: 0.007, plain: 0.003 };

const RATE = { learningRateDecay: 'cosine', ...STEADINESS } as const satisfies Partial<TrainingSettings>;

const CITATION =
  'Y. Cai, Y. Li, C. Qiu, J. Ma, X. Gao, Medical Image Retrieval Based on Convolutional Neural Network and Supervised Hashing, IEEE Access 7, 2019';

/** The paper's method with its full loss, equation (3), as `kinscan train` trains it. */
export const siameseNetwork: Rival = siamese('full', 'kinscan', 'kinscan (the paper, full loss)');

/** The same with the plain contrastive loss, equation (1): the paper's "loss function not optimised". */
export const siameseNetworkPlainLoss: Rival = siamese('plain', 'plain', 'kinscan, plain loss');

function siamese(loss: LossName, name: string, title: string): Rival {
  const settings = resolveTrainingSettings({ loss });
  return {
    name,
    title,
    citation: CITATION,
    input: 'images',
    supervised: true,
    hyperParameters: {
      loss,
      margin: '2 x codeBits',
      alpha: loss === 'full' ? settings.alpha : 0,
      learningRate: LEARNING_RATES[loss],
      ...RATE,
      momentum: settings.momentum,
      weightDecay: settings.weightDecay,
      pairs: settings.pairs,
    },
    fit: (training, options) => fitSiamese(training, options, loss),
  };
}

interface Stage {
  readonly network: Network;
  readonly weights: Weights;
  readonly standardisation: Standardisation;
}

/**
 * Trains the code lengths one after the other where shorter ones come first, each stage carrying the layers of the one
 * before over (PAPER.md, "Training"); the stages share the iterations evenly.
 */
async function fitSiamese(training: ImageSet, options: FitOptions, loss: LossName): Promise<RivalEncoder> {
  await chooseTfBackend();
  const { codeBits, budget } = options;
  const shorter = options.change?.lengths ?? [];
  const iterations = Math.ceil(budget.iterations / (shorter.length + 1));
  const train = async (bits: number, before: Stage | undefined): Promise<Stage> => {
    const settings = settingsOf(options, loss, bits, training.images.inputSize, iterations);
    return trainStage(training.images, settings, before, options);
  };
  let before: Stage | undefined;
  for (const bits of shorter) before = await train(bits, before);
  const { network, weights, standardisation } = await train(codeBits, before);
  const trained = new TrainableNetwork(network, weights);
  return {
    encode: (set) => encodeWith(trained, set, standardisation, codeBits, (embeddings) => embeddings),
    close: () => trained.close(),
  };
}

async function trainStage(
  images: LabelledImages,
  settings: TrainingSettings,
  before: Stage | undefined,
  { trunk, onProgress }: FitOptions,
): Promise<Stage> {
  const network = hashingNetwork({ inputSize: settings.inputSize, codeBits: settings.codeBits });
  const start: StartWeights =
    before === undefined
      ? { weights: startingWeights(network, images, settings.seed, trunk), carriedBits: 0 }
      : {
          weights: carryOverWeights(before.weights, network, settings.seed).weights,
          carriedBits: before.network.codeBits,
        };
  const { weights, standardisation } = await trainNetwork(network, images, settings, start, undefined, {
    iterationDone: (iteration) => onProgress?.(iteration, settings.iterations),
    validated: () => undefined,
    saveCheckpoint: () => Promise.resolve(),
    stopRequested: () => false,
  });
  return { network, weights, standardisation };
}

function settingsOf(
  { seed, budget, change }: FitOptions,
  loss: LossName,
  codeBits: number,
  inputSize: number,
  iterations: number,
): TrainingSettings {
  return resolveTrainingSettings({
    codeBits,
    inputSize,
    iterations,
    batchSize: budget.batchSize,
    learningRate: change?.learningRate ?? LEARNING_RATES[loss],
    ...RATE,
    learningRateStep: Math.max(1, Math.ceil(iterations / LEARNING_RATE_STEPS)),
    augmentation: budget.augmentation,
    loss,
    seed,
    // Every method trains on all images for its whole budget; none may choose its best iteration.
    validationShare: 0,
    validationEvery: iterations,
    checkpointEvery: iterations,
    ...change?.settings,
  });
}
