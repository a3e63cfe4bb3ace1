import { KinscanError } from '../core/errors.js';
import { SMALL_CHANGE } from './augmentation.js';
import type { BatchSampler } from './batch-sampler.js';
import { settledClassCodes } from './class-codes.js';
import { standardisedBatch } from './image-batch.js';
import { allPairs, pairLoss } from './loss.js';
import { seededRandom } from './seeded-random.js';
import type { TrainableNetwork } from './trainable-network.js';
import type { LabelledImages, Standardisation } from './training-set.js';
import type { TrainingSettings } from './training-settings.js';

export interface SettleContext {
  readonly images: LabelledImages;
  /** Images to learn from; held-out ones are not among them. */
  readonly training: Uint32Array;
  readonly standardisation: Standardisation;
  readonly sampler: BatchSampler;
  readonly settings: TrainingSettings;
  readonly settled: (iteration: number, loss: number) => void;
  readonly stopRequested: () => boolean;
}

/** The layers that settle; the convolutions stay as they are. */
const HEAD_LAYERS = ['fc1', 'fc2'];
/** Starts higher than training, since only the head moves, and is halved after every quarter. */
const LEARNING_RATE = 0.001;
/** Weight of the pull towards the class's code. */
const PULL = 0.3;
const IMAGES_PER_CLASS_MAX = 300;
const ENCODING_BATCH = 100;

/**
 * Moves every class away from the borders between codes, so that a slightly changed image keeps its code.
 *
 * The paper's regulariser pulls each value to the nearer of −1 and +1. A class whose mean is near 0 in some bit is torn
 * apart by it: half of its images go one way, half the other, and a small change flips the bit. Here all images of a
 * class are pulled to one side, the sign of the class's mean (class-codes.ts), and each comes with a changed copy:
 *
 *   loss = pair terms of eq. (3) over images and copies + PULL · ‖b − code of its class‖₁
 *
 * The convolutions are not trained, so a step costs their forward pass alone.
 * @returns false where it was told to stop before the end; the network is then half settled
 * @throws KinscanError TRAINING_DIVERGED
 */
export async function settleHead(trainable: TrainableNetwork, context: SettleContext): Promise<boolean> {
  const { settings, images, standardisation, sampler, stopRequested } = context;
  const { settleIterations, batchSize, seed, margin, momentum, weightDecay } = settings;
  const { codeBits } = trainable.network;
  const classCodes = settledClassCodes(...classMeans(trainable, context), codeBits);
  for (let iteration = 0; iteration < settleIterations; iteration++) {
    if (stopRequested()) return false;
    const random = seededRandom(seed, 'settle', iteration);
    const batch = sampler.drawImages(batchSize, random);
    const plain = standardisedBatch(images, batch, standardisation);
    const changed = standardisedBatch(images, batch, standardisation, { augmentation: SMALL_CHANGE, random });
    const labels = Array.from([...batch, ...batch], (index) => images.labels[index] as number);
    const pixels = new Float32Array(2 * plain.length);
    pixels.set(plain);
    pixels.set(changed, plain.length);
    const targets = Float32Array.from(
      { length: labels.length * codeBits },
      (_, at) =>
        classCodes[(labels[Math.floor(at / codeBits)] as number) * codeBits + (at % codeBits)] as number,
    );
    const pairs = allPairs(labels);
    const gradientOf = (embeddings: Float32Array): Float32Array => {
      const options = { loss: 'full', margin, alpha: PULL, centre: false, targets } as const;
      const { value, gradient } = pairLoss(embeddings, codeBits, pairs, options);
      if (!Number.isFinite(value)) {
        throw new KinscanError(
          'TRAINING_DIVERGED',
          `the loss is not a number at iteration ${iteration + 1} of settling the head; --settle 0 leaves it out`,
        );
      }
      context.settled(iteration + 1, value);
      return gradient;
    };
    const learningRate = LEARNING_RATE / 2 ** Math.floor((4 * iteration) / settleIterations);
    trainable.step(pixels, labels.length, gradientOf, { learningRate, momentum, weightDecay }, HEAD_LAYERS);
    // Lets signals in between steps, which are synchronous.
    await new Promise(setImmediate);
  }
  return true;
}

/** Mean embedding of each class over some of its training images, and the number of its training images. */
function classMeans(trainable: TrainableNetwork, context: SettleContext): [Float64Array, number[]] {
  const { images, training, standardisation, settings } = context;
  const { codeBits } = trainable.network;
  const order = seededRandom(settings.seed, 'class means').shuffle([...training]);
  const means = new Float64Array(images.classNames.length * codeBits);
  const sizes = images.classNames.map((_, label) => {
    const members = order.filter((index) => images.labels[index] === label);
    const sample = Uint32Array.from(members.slice(0, IMAGES_PER_CLASS_MAX));
    for (let at = 0; at < sample.length; at += ENCODING_BATCH) {
      const part = sample.subarray(at, at + ENCODING_BATCH);
      const embeddings = trainable.run(standardisedBatch(images, part, standardisation), part.length);
      embeddings.forEach((value, i) => {
        const to = label * codeBits + (i % codeBits);
        means[to] = (means[to] as number) + value / sample.length;
      });
    }
    return members.length;
  });
  return [means, sizes];
}
