import { hashingNetwork } from '../../model/network.js';
import type { LossName } from '../../model/loss.js';
import { chooseTfBackend } from '../../model/tf-backend.js';
import { TrainableNetwork } from '../../model/trainable-network.js';
import { trainNetwork } from '../../model/trainer.js';
import { resolveTrainingSettings } from '../../model/training-settings.js';
import { initialWeights } from '../../model/weights.js';
import type { FitOptions, ImageSet, Rival, RivalEncoder } from './rival.js';
import { encodeWith } from './trunk-training.js';

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
      learningRate: settings.learningRate,
      momentum: settings.momentum,
      weightDecay: settings.weightDecay,
      pairs: settings.pairs,
    },
    fit: (training, options) => fitSiamese(training, options, loss),
  };
}

async function fitSiamese(training: ImageSet, options: FitOptions, loss: LossName): Promise<RivalEncoder> {
  await chooseTfBackend();
  const { images } = training;
  const { codeBits, seed, budget, onProgress } = options;
  const settings = resolveTrainingSettings({
    codeBits,
    inputSize: images.inputSize,
    iterations: budget.iterations,
    batchSize: budget.batchSize,
    learningRateStep: Math.max(1, Math.ceil(budget.iterations / 4)),
    loss,
    seed,
    // Every method trains on all images for its whole budget; none may choose its best iteration.
    validationShare: 0,
    validationEvery: budget.iterations,
    checkpointEvery: budget.iterations,
  });
  const network = hashingNetwork(settings);
  const start = { weights: initialWeights(network, seed), carriedBits: 0 };
  const { weights, standardisation } = await trainNetwork(network, images, settings, start, undefined, {
    iterationDone: (iteration) => onProgress?.(iteration, budget.iterations),
    validated: () => undefined,
    saveCheckpoint: () => Promise.resolve(),
    stopRequested: () => false,
  });
  const trained = new TrainableNetwork(network, weights);
  return {
    encode: (set) => encodeWith(trained, set, standardisation, codeBits, (embeddings) => embeddings),
    close: () => trained.close(),
  };
}
