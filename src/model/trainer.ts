import { createHash } from 'node:crypto';
import { KinscanError } from '../core/errors.js';
import { BatchSampler } from './batch-sampler.js';
import { calibrateHashLayer } from './calibrate-hash-layer.js';
import type { BestSoFar, Checkpoint } from './checkpoint.js';
import { heldOutScore, layerOutputs } from './held-out-score.js';
import { standardisedBatch } from './image-batch.js';
import { allPairs, drawnPairs, pairLoss } from './loss.js';
import { ACTIVATION_UNITS, type Network } from './network.js';
import type { RetrievalScore } from './retrieval-score.js';
import { seededRandom } from './seeded-random.js';
import { TrainableNetwork } from './trainable-network.js';
import {
  splitByClass,
  standardisationOf,
  type LabelledImages,
  type Split,
  type Standardisation,
} from './training-set.js';
import { learningRateAt, type TrainingSettings } from './training-settings.js';
import type { Weights } from './weights.js';

/** What a run reports while it goes. */
export interface TrainingObserver {
  iterationDone(iteration: number, loss: number, learningRate: number): void;
  validated(iteration: number, score: RetrievalScore, isBest: boolean): void;
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /** After every iteration of settling the head. */
  settled?(iteration: number, loss: number): void;
  /** Asked after every iteration; true ends the run as if its iterations were over. */
  stopRequested(): boolean;
}

export interface TrainingOutcome {
  readonly weights: Weights;
  readonly standardisation: Standardisation;
  /** Iterations done in all, resumed ones included. */
  readonly iterations: number;
  /** The iteration whose weights these are. */
  readonly chosenIteration: number;
  /** Held-out score of the chosen weights; absent where there was no validation split. */
  readonly score: RetrievalScore | undefined;
  readonly finalLoss: number;
}

/** Where a run starts. */
export interface StartWeights {
  readonly weights: Weights;
  /** Units of the hash layer that were carried over from another model; the others are calibrated. */
  readonly carriedBits: number;
}

const CALIBRATION_IMAGES = 500;

/**
 * SHA-256 over settings, start weights and images. The number of iterations may grow between runs and is left out,
 * unless learning rates depend on it.
 */
export function trainingFingerprint(
  settings: TrainingSettings,
  images: LabelledImages,
  start: StartWeights,
): string {
  const hash = createHash('sha256');
  const iterations = settings.learningRateDecay === 'cosine' ? settings.iterations : 0;
  hash.update(JSON.stringify({ ...settings, iterations, classNames: images.classNames }));
  hash.update(images.labels).update(images.pixels);
  for (const [name, values] of start.weights) hash.update(name).update(values);
  return hash.digest('hex');
}

/**
 * Trains one branch on all images. tfjs's backend must have been chosen before.
 * The result depends on settings, images, start weights and backend alone; resuming from a checkpoint gives the same
 * weights as a run that never stopped.
 * @throws KinscanError INVALID_TRAINING_DATA, TRAINING_DIVERGED
 */
export async function trainNetwork(
  network: Network,
  images: LabelledImages,
  settings: TrainingSettings,
  start: StartWeights,
  resumed: Checkpoint | undefined,
  observer: TrainingObserver,
): Promise<TrainingOutcome> {
  const run = new TrainingRun(network, images, settings, start, resumed, observer);
  try {
    return await run.execute();
  } finally {
    run.close();
  }
}

class TrainingRun {
  readonly #images: LabelledImages;
  readonly #settings: TrainingSettings;
  readonly #observer: TrainingObserver;
  readonly #split: Split;
  readonly #standardisation: Standardisation;
  readonly #sampler: BatchSampler;
  readonly #trainable: TrainableNetwork;
  readonly #fingerprint: string;
  #iteration: number;
  #best: BestSoFar | undefined;
  #withoutGain: number;
  #loss = NaN;

  constructor(
    network: Network,
    images: LabelledImages,
    settings: TrainingSettings,
    start: StartWeights,
    resumed: Checkpoint | undefined,
    observer: TrainingObserver,
  ) {
    this.#images = images;
    this.#settings = settings;
    this.#observer = observer;
    this.#split = splitByClass(images, settings.validationShare, settings.seed);
    const { training } = this.#split;
    if (training.length < settings.batchSize) {
      throw new KinscanError(
        'INVALID_TRAINING_DATA',
        `${training.length} training images are fewer than a batch of ${settings.batchSize}; lower --batch`,
      );
    }
    this.#standardisation = standardisationOf(images, training);
    this.#sampler = new BatchSampler(
      images.labels,
      training,
      images.classNames.length,
      settings.classBalance,
    );
    this.#fingerprint = resumed?.fingerprint ?? trainingFingerprint(settings, images, start);
    this.#trainable = new TrainableNetwork(
      network,
      resumed?.weights ?? this.#calibrated(network, start),
      resumed?.velocities,
    );
    this.#iteration = resumed?.iteration ?? 0;
    this.#best = resumed?.best;
    this.#withoutGain = resumed?.validationsWithoutGain ?? 0;
  }

  async execute(): Promise<TrainingOutcome> {
    const { iterations, checkpointEvery, validationEvery, patience } = this.#settings;
    while (this.#iteration < iterations && !this.#observer.stopRequested()) {
      this.#step();
      const last = this.#iteration === iterations;
      if (this.#iteration % validationEvery === 0 || last) this.#validate();
      if (this.#iteration % checkpointEvery === 0 || last)
        await this.#observer.saveCheckpoint(this.#checkpoint());
      if (patience > 0 && this.#withoutGain >= patience) break;
      // Lets timers, signals and the progress bar in between steps, which are synchronous.
      await new Promise(setImmediate);
    }
    if (this.#best === undefined && this.#iteration > 0) this.#centreHashLayer();
    const chosen = this.#best ?? {
      iteration: this.#iteration,
      weights: this.#trainable.weights(),
      score: undefined,
    };
    return {
      weights: chosen.weights,
      standardisation: this.#standardisation,
      iterations: this.#iteration,
      chosenIteration: chosen.iteration,
      score: chosen.score,
      finalLoss: this.#loss,
    };
  }

  close(): void {
    this.#trainable.close();
  }

  #calibrated(network: Network, start: StartWeights): Weights {
    if (start.carriedBits >= network.codeBits) return start.weights;
    const uncalibrated = new TrainableNetwork(network, start.weights);
    const activations = layerOutputs(
      uncalibrated,
      this.#images,
      this.#calibrationSample(),
      this.#standardisation,
      'fc1',
      ACTIVATION_UNITS,
    );
    uncalibrated.close();
    return calibrateHashLayer(network, start.weights, activations, start.carriedBits);
  }

  /** Moves the hash layer's bias so that embeddings have mean 0 over a sample, as the loss saw them in every batch. */
  #centreHashLayer(): void {
    if (!this.#settings.centre) return;
    const { codeBits } = this.#trainable.network;
    const sample = this.#calibrationSample();
    const embeddings = layerOutputs(
      this.#trainable,
      this.#images,
      sample,
      this.#standardisation,
      'fc2',
      codeBits,
    );
    const shift = new Float32Array(codeBits);
    embeddings.forEach(
      (value, at) => (shift[at % codeBits] = (shift[at % codeBits] as number) - value / sample.length),
    );
    this.#trainable.shiftBias('fc2', shift);
  }

  #calibrationSample(): Uint32Array {
    return this.#sampler.drawImages(CALIBRATION_IMAGES, seededRandom(this.#settings.seed, 'calibration'));
  }

  #step(): void {
    const { seed, batchSize, pairs, augmentation, momentum, weightDecay, gradientNormMax } = this.#settings;
    const { codeBits } = this.#trainable.network;
    const random = seededRandom(seed, 'batch', this.#iteration);
    const drawn = pairs === 'drawn';
    const batch = drawn
      ? this.#sampler.drawPairs(batchSize, random)
      : this.#sampler.drawImages(batchSize, random);
    const labels = Array.from(batch, (index) => this.#images.labels[index] as number);
    const pairWeights = drawn ? drawnPairs(labels) : allPairs(labels);
    const pixels = standardisedBatch(this.#images, batch, this.#standardisation, { augmentation, random });
    const learningRate = learningRateAt(this.#settings, this.#iteration);
    const gradientOf = (embeddings: Float32Array): Float32Array => {
      const { value, gradient } = pairLoss(embeddings, codeBits, pairWeights, this.#settings);
      if (!Number.isFinite(value)) {
        const where = `iteration ${this.#iteration + 1}`;
        throw new KinscanError(
          'TRAINING_DIVERGED',
          `the loss is not a number at ${where}; lower --learning-rate (${learningRate})`,
        );
      }
      this.#loss = value;
      return gradient;
    };
    const step = { learningRate, momentum, weightDecay, gradientNormMax };
    this.#trainable.step(pixels, batchSize, gradientOf, step);
    this.#iteration++;
    this.#observer.iterationDone(this.#iteration, this.#loss, learningRate);
  }

  #validate(): void {
    this.#centreHashLayer();
    const { validation } = this.#split;
    const { seed } = this.#settings;
    const score = heldOutScore(this.#trainable, this.#images, validation, this.#standardisation, seed);
    if (score === undefined) return;
    const isBest = this.#best === undefined || meritOf(score) > meritOf(this.#best.score);
    if (isBest) this.#best = { iteration: this.#iteration, score, weights: this.#trainable.weights() };
    this.#withoutGain = isBest ? 0 : this.#withoutGain + 1;
    this.#observer.validated(this.#iteration, score, isBest);
  }

  #checkpoint(): Checkpoint {
    return {
      iteration: this.#iteration,
      weights: this.#trainable.weights(),
      velocities: this.#trainable.velocities(),
      best: this.#best,
      validationsWithoutGain: this.#withoutGain,
      fingerprint: this.#fingerprint,
    };
  }
}

/** What the best checkpoint is chosen by: good in the usual order and in the worst one. */
function meritOf(score: RetrievalScore): number {
  return score.mapAt100 + score.mapAt100WorstTies;
}
