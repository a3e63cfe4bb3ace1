import { BatchSampler } from '../../model/batch-sampler.js';
import { standardisedBatch } from '../../model/image-batch.js';
import { ACTIVATION_UNITS, hashingNetwork, type Layer, type Network } from '../../model/network.js';
import { seededRandom } from '../../model/seeded-random.js';
import { chooseTfBackend } from '../../model/tf-backend.js';
import { TrainableNetwork } from '../../model/trainable-network.js';
import { standardisationOf, type LabelledImages, type Standardisation } from '../../model/training-set.js';
import { DEFAULT_TRAINING_SETTINGS, learningRateAt } from '../../model/training-settings.js';
import { scaledInitialWeights } from '../../model/scale-initial-layers.js';
import { initialWeights, type Weights } from '../../model/weights.js';
import { HashHead, squaredNormOf, type HeadGradient, type HeadWiring } from './hash-head.js';
import { imageCount, type FitOptions, type ImageSet, type RivalEncoder } from './rival.js';

/** The images of a mini-batch and the head's outputs for them. */
export interface HeadBatch {
  /** Rows of the training set. */
  readonly rows: Uint32Array;
  readonly labels: Uint16Array;
  /** shape [rows.length, codeBits] */
  readonly outputs: Float64Array;
  /** A generator that belongs to this iteration. */
  readonly random: ReturnType<typeof seededRandom>;
}

export interface TrunkMethod {
  readonly wiring: HeadWiring;
  /** At its highest; it falls along a half cosine. */
  readonly learningRate: number;
  /** Whether STEADINESS is of use: on held-out images it was to all but DNNH (docs/experiments.md). */
  readonly steady: boolean;
  /** See HashHead.gradient. */
  readonly orthogonality: number;
  /** The gradient of the method's loss, a mean over images, by the outputs: shape [rows.length, codeBits]. */
  readonly lossGradient: (batch: HeadBatch) => Float64Array;
}

const { momentum, weightDecay, warmUpIterations, gradientNormMax } = DEFAULT_TRAINING_SETTINGS;
/** What lets a network train at rates that its first mini-batches would not bear: as `kinscan train` has it. */
export const STEADINESS = { warmUpIterations, gradientNormMax } as const;
const ENCODE_BATCH = 100;
/** As many as our own hash layer is calibrated on. */
const CALIBRATION_IMAGES = 500;

/**
 * Where every network of the comparison starts: from the shared trunk where there is one (shared-trunk.ts), else from
 * Xavier's weights, every layer scaled to the training images.
 */
export function startingWeights(
  network: Network,
  images: LabelledImages,
  seed: number,
  trunk: Weights | undefined,
): Weights {
  if (trunk !== undefined) return new Map([...initialWeights(network, seed), ...trunk]);
  return scaledInitialWeights(network, images, allRows(images), seed);
}

function allRows({ labels }: LabelledImages): Uint32Array {
  return Uint32Array.from({ length: labels.length }, (_, row) => row);
}

/**
 * Trains a deep rival: the convolutional trunk of the paper's branch (up to the 500 units of fc1) with the rival's own
 * head and loss on top. Sampling of batches, momentum, weight decay, initialisation and the half cosine of the learning
 * rate are those of our own training, and so is the number of iterations.
 *
 *   images -> conv1..conv3, fc1 (tfjs) -> activations [n, 500] -> head (plain code) -> outputs [n, k] -> loss
 *          <- gradient by activations  <-                        <- gradient by outputs
 */
export async function trainOnTrunk(
  training: ImageSet,
  options: FitOptions,
  method: TrunkMethod,
): Promise<RivalEncoder> {
  const { codeBits } = options;
  const { trunk, head, standardisation } = await trainTrunkAndHead(training, options, method);
  return {
    encode: (set) =>
      encodeWith(trunk, set, standardisation, codeBits, (activations, n) => head.forward(activations, n)),
    close: () => trunk.close(),
  };
}

/** The caller closes the trunk. */
export async function trainTrunkAndHead(
  training: ImageSet,
  options: FitOptions,
  method: TrunkMethod,
): Promise<{ trunk: TrainableNetwork; head: HashHead; standardisation: Standardisation }> {
  await chooseTfBackend();
  const { images } = training;
  const { codeBits, seed, budget, onProgress } = options;
  const { augmentation } = budget;
  const settings = {
    ...DEFAULT_TRAINING_SETTINGS,
    ...(method.steady ? STEADINESS : { warmUpIterations: 0, gradientNormMax: 0 }),
    iterations: budget.iterations,
    learningRate: options.change?.learningRate ?? method.learningRate,
    learningRateDecay: 'cosine',
  } as const;
  const everything = allRows(images);
  const standardisation = standardisationOf(images, everything);
  const network = trunkOf(images.inputSize);
  const start = options.trunk === undefined ? undefined : renamed(options.trunk, 'fc1', 'fc2');
  const trunk = new TrainableNetwork(network, startingWeights(network, images, seed, start));
  const head = new HashHead(ACTIVATION_UNITS, codeBits, method.wiring, seed);
  const sampler = new BatchSampler(
    images.labels,
    everything,
    images.classNames.length,
    DEFAULT_TRAINING_SETTINGS.classBalance,
  );
  const sample = sampler.drawImages(CALIBRATION_IMAGES, seededRandom(seed, 'calibration'));
  head.calibrate(trunk.run(standardisedBatch(images, sample, standardisation), sample.length), sample.length);
  for (let iteration = 0; iteration < budget.iterations; iteration++) {
    const random = seededRandom(seed, 'batch', iteration);
    const rows = sampler.drawImages(budget.batchSize, random);
    const labels = Uint16Array.from(rows, (row) => images.labels[row] as number);
    const step = { learningRate: learningRateAt(settings, iteration), momentum, weightDecay };
    // until the forward pass has come to the head
    let headGradient: HeadGradient = { weights: new Float64Array(), biases: new Float64Array() };
    const gradientByActivations = (activations: Float32Array): Float32Array => {
      const outputs = head.forward(activations, rows.length);
      const slopes = method.lossGradient({ rows, labels, outputs, random });
      headGradient = head.gradient(activations, slopes, rows.length, method.orthogonality);
      return head.backward(slopes, rows.length);
    };
    const pixels = standardisedBatch(images, rows, standardisation, { augmentation, random });
    const clipped = {
      ...step,
      gradientNormMax: settings.gradientNormMax,
      squaredNormOutside: () => squaredNormOf(headGradient),
    };
    const scale = trunk.step(pixels, rows.length, gradientByActivations, clipped);
    head.step(headGradient, scale, step);
    onProgress?.(iteration + 1, budget.iterations);
    // Lets timers and signals in between steps, which are synchronous.
    await new Promise(setImmediate);
  }
  return { trunk, head, standardisation };
}

/** Encodes a whole set with a trained network, some images at a time. */
export function encodeWith(
  network: TrainableNetwork,
  set: ImageSet,
  standardisation: Standardisation,
  codeBits: number,
  outputsOf: (networkOutput: Float32Array, count: number) => ArrayLike<number>,
): Float32Array {
  const count = imageCount(set);
  const encoded = new Float32Array(count * codeBits);
  for (let start = 0; start < count; start += ENCODE_BATCH) {
    const length = Math.min(ENCODE_BATCH, count - start);
    const rows = Uint32Array.from({ length }, (_, i) => start + i);
    const output = network.run(standardisedBatch(set.images, rows, standardisation), length);
    encoded.set(outputsOf(output, length), start * codeBits);
  }
  return encoded;
}

/** Weights with a layer's name changed. */
export function renamed(weights: Weights, from: string, to: string): Weights {
  return new Map([...weights].map(([name, values]) => [name.replace(`${from}/`, `${to}/`), values]));
}

/** The branch up to fc1. TrainableNetwork trains up to the layer called fc2, so fc1 goes by that name here. */
function trunkOf(inputSize: number): Network {
  const branch = hashingNetwork({ inputSize, codeBits: 8 });
  const layers = branch.layers
    .filter(({ name }) => name !== 'fc2')
    .map((layer): Layer => (layer.name === 'fc1' ? { ...layer, name: 'fc2' } : layer));
  const parameters = branch.parameters
    .filter(({ name }) => !name.startsWith('fc2/'))
    .map((spec) => ({ ...spec, name: spec.name.replace('fc1/', 'fc2/') }));
  return {
    ...branch,
    codeBits: ACTIVATION_UNITS,
    layers,
    parameters,
    outputs: [{ name: 'embedding', layer: 'fc2', units: ACTIVATION_UNITS }],
  };
}
