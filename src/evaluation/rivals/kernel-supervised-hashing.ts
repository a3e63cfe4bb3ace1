import { Random } from '../../core/random.js';
import { sampleRows } from '../query-split.js';
import { choleskyOf, largestGeneralisedEigenvector, Matrix } from './linear-algebra.js';
import { dotProduct } from './linear-code.js';
import { imageCount, type ImageSet, type Rival, type RivalEncoder } from './rival.js';

const HYPER_PARAMETERS = {
  anchors: 300,
  labelledImages: 1000,
  kernel: 'exp(-|x - a|^2 / (2 s^2)), s the mean distance to the anchors',
  gradientSteps: 100,
  ridge: 1e-6,
} as const;

/**
 * Supervised hashing with kernels. A bit is the sign of a'k(x), k(x) the centred kernel values to some anchors. With
 * S = 1 for similar and -1 for dissimilar labelled pairs, the codes H of l labelled images (in {-1, 1}) are to make
 * H H' come close to codeBits * S. Bits are learned greedily on the residue:
 *
 *   R = codeBits * S - (sum over earlier bits of h h'),      maximise h' R h over a, h = sign(K a)
 *
 * first with the sign dropped (a generalised eigenvector), then with a smooth sign phi(x) = 2 / (1 + exp(-x)) - 1 by
 * accelerated gradient steps. S has one block per class, so S v costs O(l) and R is never formed.
 */
export const kernelSupervisedHashing: Rival = {
  name: 'ksh',
  title: 'KSH',
  citation: 'W. Liu, J. Wang, R. Ji, Y.-G. Jiang, S.-F. Chang, Supervised Hashing with Kernels, CVPR 2012',
  input: 'descriptors',
  supervised: true,
  hyperParameters: HYPER_PARAMETERS,
  fit: (training, { codeBits, seed, onProgress }) =>
    Promise.resolve(fitKernelSupervisedHashing(training, codeBits, seed, onProgress)),
};

function fitKernelSupervisedHashing(
  training: ImageSet,
  codeBits: number,
  seed: number,
  onProgress?: (done: number, total: number) => void,
): RivalEncoder {
  const count = imageCount(training);
  const kernel = new AnchorKernel(training, sampleRows(count, HYPER_PARAMETERS.anchors, seed));
  const labelledRows = sampleRows(count, HYPER_PARAMETERS.labelledImages, seed + 1);
  const labels = labelledRows.map((row) => training.images.labels[row] as number);
  const features = kernel.centreOn(labelledRows);
  const featureMatrix = new Matrix(toNestedRows(features));
  const residue = new Residue(labels, codeBits);
  const gram = featureMatrix.transpose().mmul(featureMatrix);
  const ridge = HYPER_PARAMETERS.ridge * gram.trace();
  const cholesky = choleskyOf(Matrix.add(gram, Matrix.eye(gram.rows).mul(ridge)));
  const random = new Random(seed + 2);
  const coefficients: Float64Array[] = [];
  for (let bit = 0; bit < codeBits; bit++) {
    const start = largestGeneralisedEigenvector(residue.between(featureMatrix), cholesky);
    const scaled = scaleToUnitOutputs(start, features);
    const smooth = ascend(scaled, features, residue);
    let best =
      residue.energy(signs(features, smooth)) > residue.energy(signs(features, scaled)) ? smooth : scaled;
    // A residue without a positive direction left gives a constant bit; a random direction serves as well.
    if (best.every((value) => value === 0)) best = best.map(() => random.normal());
    coefficients.push(best);
    residue.subtract(signs(features, best));
    onProgress?.(bit + 1, codeBits);
  }
  return { encode: (set) => kernel.project(set, coefficients), close: () => undefined };
}

/** Centred kernel values, shape [labelled images, anchors]. */
interface Features {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

function toNestedRows({ rows, columns, values }: Features): number[][] {
  return Array.from({ length: rows }, (_, row) =>
    Array.from(values.subarray(row * columns, (row + 1) * columns)),
  );
}

/** codeBits * S minus the codes already learned, S given by classes. */
class Residue {
  readonly #labels: readonly number[];
  readonly #classCount: number;
  readonly #codeBits: number;
  readonly #codes: Float64Array[] = [];

  constructor(labels: readonly number[], codeBits: number) {
    this.#labels = labels;
    this.#classCount = labels.reduce((most, label) => Math.max(most, label + 1), 0);
    this.#codeBits = codeBits;
  }

  subtract(code: Float64Array): void {
    this.#codes.push(code);
  }

  /** R v; S v at an image is twice its class's sum of v minus the sum over all images. */
  times(vector: Float64Array): Float64Array {
    const sums = new Float64Array(this.#classCount);
    let total = 0;
    vector.forEach((value, row) => {
      const label = this.#labels[row] as number;
      sums[label] = (sums[label] as number) + value;
      total += value;
    });
    const product = vector.map(
      (_, row) => this.#codeBits * (2 * (sums[this.#labels[row] as number] as number) - total),
    );
    for (const code of this.#codes) {
      const overlap = dot(code, vector);
      for (let row = 0; row < product.length; row++)
        product[row] = (product[row] as number) - overlap * (code[row] as number);
    }
    return product;
  }

  energy(vector: Float64Array): number {
    return dot(vector, this.times(vector));
  }

  /** features' R features, shape [anchors, anchors]. */
  between(features: Matrix): Matrix {
    const columns = Array.from({ length: features.columns }, (_, j) =>
      Array.from(this.times(Float64Array.from(features.getColumn(j)))),
    );
    const product = new Matrix(columns).mmul(features);
    return Matrix.add(product, product.transpose()).mul(0.5);
  }
}

/** Radial basis functions around anchors, centred by their means over the labelled images. */
class AnchorKernel {
  readonly #anchors: Float64Array[];
  readonly #training: ImageSet;
  readonly #widthSquared: number;
  #means: Float64Array;

  constructor(training: ImageSet, anchorRows: readonly number[]) {
    const { descriptors, descriptorDimensions: dimensions } = training;
    this.#training = training;
    this.#anchors = anchorRows.map((row) =>
      Float64Array.from(descriptors.subarray(row * dimensions, (row + 1) * dimensions)),
    );
    this.#means = new Float64Array(anchorRows.length);
    let sum = 0;
    for (const anchor of this.#anchors) {
      for (const row of anchorRows) sum += Math.sqrt(squaredDistance(anchor, descriptors, row * dimensions));
    }
    const mean = sum / Math.max(1, anchorRows.length ** 2 - anchorRows.length);
    this.#widthSquared = mean > 0 ? 2 * mean * mean : 1;
  }

  /** The centred kernel values of some training images, shape [rows, anchors]; their means are kept. */
  centreOn(rows: readonly number[]): Features {
    const values = rows.map((row) => this.#valuesOf(this.#training, row));
    this.#means = this.#means.map((_, j) =>
      values.reduce((sum, row) => sum + (row[j] as number) / rows.length, 0),
    );
    const columns = this.#anchors.length;
    const centred = new Float64Array(rows.length * columns);
    values.forEach((row, i) =>
      row.forEach((value, j) => (centred[i * columns + j] = value - (this.#means[j] as number))),
    );
    return { rows: rows.length, columns, values: centred };
  }

  /** Values of every bit, shape [count, coefficients.length]. */
  project(set: ImageSet, coefficients: readonly Float64Array[]): Float32Array {
    const count = imageCount(set);
    const projected = new Float32Array(count * coefficients.length);
    for (let row = 0; row < count; row++) {
      const values = this.#valuesOf(set, row);
      for (let j = 0; j < values.length; j++) values[j] = (values[j] as number) - (this.#means[j] as number);
      coefficients.forEach((direction, bit) => {
        projected[row * coefficients.length + bit] = dot(direction, values);
      });
    }
    return projected;
  }

  #valuesOf(set: ImageSet, row: number): Float64Array {
    const start = row * set.descriptorDimensions;
    return Float64Array.from(this.#anchors, (anchor) =>
      Math.exp(-squaredDistance(anchor, set.descriptors, start) / this.#widthSquared),
    );
  }
}

/** Nesterov's accelerated gradient ascent of phi(K a)' R phi(K a), the step halved until the value rises. */
function ascend(start: Float64Array, features: Features, residue: Residue): Float64Array {
  let current = start;
  let previous = start;
  let value = smoothEnergy(features, residue, current).value;
  let step = 1 / (features.rows * features.rows);
  for (let iteration = 1; iteration <= HYPER_PARAMETERS.gradientSteps; iteration++) {
    const pull = (iteration - 1) / (iteration + 2);
    const ahead = current.map((a, i) => a + pull * (a - (previous[i] as number)));
    const { gradient } = smoothEnergy(features, residue, ahead);
    let next = ahead;
    let nextValue = -Infinity;
    for (let halving = 0; halving < 30 && nextValue <= value; halving++) {
      next = ahead.map((a, i) => a + step * (gradient[i] as number));
      nextValue = smoothEnergy(features, residue, next).value;
      if (nextValue <= value) step /= 2;
    }
    if (nextValue <= value) break;
    previous = current;
    current = next;
    value = nextValue;
    step *= 1.5;
  }
  return current;
}

function smoothEnergy(
  features: Features,
  residue: Residue,
  coefficients: Float64Array,
): { value: number; gradient: Float64Array } {
  const smooth = outputs(features, coefficients).map((x) => 2 / (1 + Math.exp(-x)) - 1);
  const product = residue.times(smooth);
  const slopes = product.map((value, row) => value * (1 - (smooth[row] as number) ** 2));
  const gradient = new Float64Array(coefficients.length);
  for (let row = 0; row < features.rows; row++) {
    const slope = slopes[row] as number;
    for (let j = 0; j < gradient.length; j++)
      gradient[j] = (gradient[j] as number) + slope * (features.values[row * features.columns + j] as number);
  }
  return { value: dot(smooth, product), gradient };
}

function scaleToUnitOutputs(coefficients: Float64Array, features: Features): Float64Array {
  const values = outputs(features, coefficients);
  const meanSquare = dot(values, values) / values.length;
  return meanSquare > 0 ? coefficients.map((a) => a / Math.sqrt(meanSquare)) : coefficients;
}

function outputs(features: Features, coefficients: Float64Array): Float64Array {
  const values = new Float64Array(features.rows);
  for (let row = 0; row < features.rows; row++) {
    values[row] = dotProduct(coefficients, features.values, row * features.columns);
  }
  return values;
}

function signs(features: Features, coefficients: Float64Array): Float64Array {
  return outputs(features, coefficients).map((value) => (value >= 0 ? 1 : -1));
}

function dot(a: Float64Array, b: Float64Array): number {
  return dotProduct(a, b, 0);
}

function squaredDistance(a: Float64Array, values: Float32Array, start: number): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (values[start + i] as number);
    sum += difference * difference;
  }
  return sum;
}
