import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { existsSync } from 'node:fs';
import { KinscanError } from '../core/errors.js';
import { loadModel, saveModel } from './artefact.js';
import { BatchSampler } from './batch-sampler.js';
import { readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { heldOutScore } from './held-out-score.js';
import { learnFineLayer } from './learn-fine-layer.js';
import { hashingNetwork, type Network } from './network.js';
import type { RetrievalScore } from './retrieval-score.js';
import { scaledInitialWeights } from './scale-initial-layers.js';
import { settleHead } from './settle-head.js';
import { chooseTfBackend } from './tf-backend.js';
import {
  trainingFingerprint,
  trainNetwork,
  type StartWeights,
  type TrainingObserver,
  type TrainingOutcome,
} from './trainer.js';
import { TrainableNetwork } from './trainable-network.js';
import { splitByClass, type LabelledImages } from './training-set.js';
import type { TrainingSettings } from './training-settings.js';
import { carryOverWeights, type Weights } from './weights.js';

/** One training run from images in memory to a model folder. */
export interface TrainModelOptions {
  readonly images: LabelledImages;
  readonly settings: TrainingSettings;
  /** Model folder to write; the checkpoint is kept in it until the run is over. */
  readonly outFolder: string;
  /** Model folder whose layers are carried over. */
  readonly fromFolder?: string;
  /** Go on from the checkpoint in outFolder, where there is one. */
  readonly resume: boolean;
  readonly observer: Omit<TrainingObserver, 'saveCheckpoint'>;
  readonly note: (line: string) => void;
}

export interface TrainingReport {
  readonly modelVersion: string;
  readonly codeBits: number;
  readonly fineCodeBits: number;
  readonly inputSize: number;
  readonly classes: number;
  readonly images: number;
  readonly iterations: number;
  readonly chosenIteration: number;
  /** Loss of the last mini-batch; null where a resumed run had nothing left to do. */
  readonly loss: number | null;
  /** On held-out images; null where validation was off. */
  readonly validation: RetrievalScore | null;
}

const CHECKPOINT_FILE = 'training.checkpoint';

/**
 * Trains, writes the model folder and removes the checkpoint. A failure leaves the folder without a new model.
 * @throws KinscanError INVALID_TRAINING_DATA, TRAINING_DIVERGED, INVALID_MODEL (fromFolder), INVALID_ARGUMENT
 */
export async function trainModel(options: TrainModelOptions): Promise<TrainingReport> {
  const { images, settings, outFolder, observer, note } = options;
  const network = trunkOf(settings);
  note(`backend ${await chooseTfBackend(note)}`);
  const start = await startWeights(options);
  const fingerprint = trainingFingerprint(settings, images, start);
  const checkpointFile = path.join(outFolder, CHECKPOINT_FILE);
  const resumes = options.resume && existsSync(checkpointFile);
  const resumed = resumes ? await readCheckpoint(checkpointFile, network, fingerprint) : undefined;
  if (options.resume)
    note(
      resumed === undefined
        ? 'no checkpoint, starting anew'
        : `resuming after iteration ${resumed.iteration}`,
    );
  await mkdir(outFolder, { recursive: true });
  const trained = await trainNetwork(network, images, settings, start, resumed, {
    iterationDone: (iteration, loss, learningRate) => observer.iterationDone(iteration, loss, learningRate),
    validated: (iteration, score, isBest) => observer.validated(iteration, score, isBest),
    stopRequested: () => observer.stopRequested(),
    saveCheckpoint: (checkpoint) => writeCheckpoint(checkpointFile, network, checkpoint),
  });
  const outcome = await withSettledHead(network, trained, options);
  const fine = withFineLayer(network, outcome, options);
  const modelVersion = await saveModel(outFolder, {
    network: fine.network,
    weights: fine.weights,
    standardisation: outcome.standardisation,
    classNames: images.classNames,
    training: { ...settings, chosenIteration: outcome.chosenIteration, images: images.labels.length },
    metrics: { ...outcome.score },
  });
  if (!observer.stopRequested()) await rm(checkpointFile, { force: true });
  return {
    modelVersion,
    codeBits: settings.codeBits,
    fineCodeBits: settings.fineCodeBits,
    inputSize: settings.inputSize,
    classes: images.classNames.length,
    images: images.labels.length,
    iterations: outcome.iterations,
    chosenIteration: outcome.chosenIteration,
    loss: Number.isFinite(outcome.finalLoss) ? outcome.finalLoss : null,
    validation: outcome.score ?? null,
  };
}

/** The network that is trained: the fine code comes after. */
function trunkOf(settings: TrainingSettings): Network {
  return hashingNetwork({ inputSize: settings.inputSize, codeBits: settings.codeBits });
}

/** Where a run is stopped while its head settles, the head as trained is kept; --resume settles it from the start. */
async function withSettledHead(
  network: Network,
  trained: TrainingOutcome,
  { images, settings, observer, note }: TrainModelOptions,
): Promise<TrainingOutcome> {
  const { settleIterations, validationShare, classBalance, seed } = settings;
  if (settleIterations === 0 || observer.stopRequested()) return trained;
  note(`settling the head, ${settleIterations} iterations`);
  const { standardisation } = trained;
  const { training, validation } = splitByClass(images, validationShare, seed);
  const sampler = new BatchSampler(images.labels, training, images.classNames.length, classBalance);
  const trainable = new TrainableNetwork(network, trained.weights);
  try {
    const context = { images, training, standardisation, sampler, settings };
    const whole = await settleHead(trainable, {
      ...context,
      settled: (iteration, loss) => observer.settled?.(iteration, loss),
      stopRequested: () => observer.stopRequested(),
    });
    if (!whole) return trained;
    const score = heldOutScore(trainable, images, validation, standardisation, seed);
    return { ...trained, weights: trainable.weights(), score };
  } finally {
    trainable.close();
  }
}

function withFineLayer(
  network: Network,
  outcome: TrainingOutcome,
  { images, settings, note }: TrainModelOptions,
): { network: Network; weights: Weights } {
  const { fineCodeBits, seed } = settings;
  const { weights, standardisation } = outcome;
  if (fineCodeBits === 0) return { network, weights };
  note(`learning the fine code of ${fineCodeBits} bits`);
  return learnFineLayer(network, weights, images, standardisation, { fineCodeBits, seed });
}

async function startWeights(options: TrainModelOptions): Promise<StartWeights> {
  const { images, settings, fromFolder, note } = options;
  const network = trunkOf(settings);
  if (settings.iterations === 0 && fromFolder === undefined && !options.resume)
    throw new KinscanError('INVALID_ARGUMENT', '0 iterations train nothing; name a model to start --from');
  if (fromFolder === undefined) {
    const { training } = splitByClass(images, settings.validationShare, settings.seed);
    return { weights: scaledInitialWeights(network, images, training, settings.seed), carriedBits: 0 };
  }
  const source = await loadModel(fromFolder);
  if (source.network.codeBits > settings.codeBits) {
    throw new KinscanError(
      'INVALID_ARGUMENT',
      `--from holds a code of ${source.network.codeBits} bits, longer than ${settings.codeBits}`,
    );
  }
  const { weights, carried, widened, fresh } = carryOverWeights(source.weights, network, settings.seed);
  note(`from ${fromFolder}: carried over ${list(carried)}; widened ${list(widened)}; fresh ${list(fresh)}`);
  // A hash layer on a fresh fc1 means nothing any more.
  const carriedBits = fresh.includes('fc1/kernel') ? 0 : source.network.codeBits;
  return { weights, carriedBits };
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ');
}
