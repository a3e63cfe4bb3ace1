import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashingNetwork, sizeOfShape } from '../../model/network.js';
import type { Weights } from '../../model/weights.js';
import type { ImageSet, TrainingBudget } from './rival.js';
import { renamed, trainTrunkAndHead } from './trunk-training.js';

const LEARNING_RATE = 0.003;

/**
 * The convolutional trunk (conv1 to fc1) that every deep method of a comparison goes on from, trained once to tell the
 * classes of the training set apart: a softmax layer on top, cross-entropy as the loss. It belongs to none of the
 * methods, and it takes the part of the work off them that they have in common, so that a whole table can be computed
 * on one processor. It is kept in `folder` under a key of everything it depends on.
 */
export async function sharedTrunk(
  training: ImageSet,
  seed: number,
  budget: TrainingBudget,
  folder: string,
  onProgress: (done: number, total: number) => void,
): Promise<Weights> {
  const path = join(folder, `trunk-${keyOf(training, seed, budget)}.f32`);
  const stored = await readFile(path).catch(() => undefined);
  const { inputSize, classNames } = training.images;
  const specs = hashingNetwork({ inputSize, codeBits: 8 }).parameters.filter(
    ({ name }) => !isHashLayer(name),
  );
  const valueCount = specs.reduce((sum, { shape }) => sum + sizeOfShape(shape), 0);
  if (stored?.length === 4 * valueCount) {
    const values = new Float32Array(Uint8Array.from(stored).buffer);
    let at = 0;
    return new Map(specs.map(({ name, shape }) => [name, values.slice(at, (at += sizeOfShape(shape)))]));
  }
  const codeBits = classNames.length;
  const { trunk } = await trainTrunkAndHead(
    training,
    { codeBits, seed, budget: { ...budget, iterations: budget.trunkIterations }, onProgress },
    {
      wiring: 'dense',
      learningRate: LEARNING_RATE,
      steady: false,
      orthogonality: 0,
      lossGradient: ({ outputs, labels }) => crossEntropy(outputs, labels).gradient,
    },
  );
  const weights = renamed(trunk.weights(), 'fc2', 'fc1');
  trunk.close();
  await mkdir(folder, { recursive: true });
  const parts = specs.map(({ name }) => weights.get(name) as Float32Array);
  await writeFile(`${path}.part`, Buffer.concat(parts.map((part) => new Uint8Array(part.buffer))));
  await rename(`${path}.part`, path);
  return weights;
}

/**
 * Softmax and cross-entropy, the mean over images.
 * @param outputs shape [labels.length, classes]
 */
export function crossEntropy(
  outputs: Float64Array,
  labels: Uint16Array,
): { value: number; gradient: Float64Array } {
  const classes = outputs.length / labels.length;
  const gradient = new Float64Array(outputs.length);
  let value = 0;
  labels.forEach((label, n) => {
    const row = outputs.subarray(n * classes, (n + 1) * classes);
    const greatest = Math.max(...row);
    const powers = row.map((output) => Math.exp(output - greatest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    value -= Math.log((powers[label] as number) / total) / labels.length;
    powers.forEach((power, c) => {
      gradient[n * classes + c] = (power / total - (c === label ? 1 : 0)) / labels.length;
    });
  });
  return { value, gradient };
}

function keyOf({ images }: ImageSet, seed: number, { iterations: _, ...budget }: TrainingBudget): string {
  const hash = createHash('sha256');
  const { classNames, inputSize } = images;
  hash.update(JSON.stringify({ seed, budget, learningRate: LEARNING_RATE, classNames, inputSize }));
  return hash.update(images.labels).update(images.pixels).digest('hex').slice(0, 24);
}

function isHashLayer(name: string): boolean {
  return name.startsWith('fc2/');
}
