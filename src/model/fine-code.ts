import { CholeskyDecomposition, EigenvalueDecomposition, Matrix, QrDecomposition } from 'ml-matrix';
import { assert } from '../core/errors.js';
import { seededRandom } from './seeded-random.js';
import { tf } from './tf.js';

/** The fine code as a linear layer on features: the signs of its outputs are the bits. */
export interface FineProjection {
  /** Shape [units, bits]. */
  readonly kernel: Float32Array;
  /** Shape [bits]. */
  readonly bias: Float32Array;
}

/** What a fine code is learned from. */
export interface FineSamples {
  /** Shape [count, units]. */
  readonly features: Float32Array;
  /** Features of the same images after a small random change, shape [count, units]. */
  readonly changed: Float32Array;
  readonly units: number;
  /** Shape [count]: a number from 0; the fine code is to tell images of one group apart, never one group from another. */
  readonly groups: Uint16Array;
}

/** Directions kept before they are mixed into bits. */
const DIRECTIONS_MAX = 512;
/** Added to the diagonal of the noise covariance, on the scale where each feature has noise 1. */
const RIDGE = 0.01;
/** Variance of the noise that a direction between groups is given, on the same scale. */
const GROUP_NOISE = 1e6;

/**
 * Learns, without labels, a binary code that tells images apart but not an image from a slightly changed copy of it:
 *
 *   N  covariance of (feature of the changed copy − feature), the noise
 *   S  covariance of features within groups, the signal: FINE compares images of equal code only, so what tells groups
 *      apart is worth nothing, and directions between the groups' means count as noise. A bit then splits every group
 *      in about half. A group weighs less the greater its signal over noise is, since it needs the bits less.
 *   generalised eigenvectors of S v = λ N v: λ is signal over noise in direction v, in units of noise
 *   keep the directions with the greatest λ, give each the length √λ / (λ + 1) (a Wiener filter, so that none
 *   dominates), and mix them by a random orthogonal matrix into bits of equal worth
 *
 * Plain PCA with iterative quantisation was tried first; docs/training.md compares. tfjs's backend must be chosen.
 */
export function learnFineCode(samples: FineSamples, bits: number, seed: number): FineProjection {
  const { units } = samples;
  assert(samples.features.length === samples.changed.length, 'every image has one changed copy');
  const { centred, differences, means } = weighedByGroup(samples);
  const noise = secondMoments(differences, units);
  const signal = secondMoments(centred, units);
  const scale = Float64Array.from({ length: units }, (_, unit) => Math.sqrt(noise.get(unit, unit) + 1e-9));
  for (const matrix of [noise, signal]) divideByOuterProduct(matrix, scale);
  for (let unit = 0; unit < units; unit++) noise.set(unit, unit, noise.get(unit, unit) + RIDGE);
  const mean = averageOf(means);
  for (const groupMean of means) addDirection(noise, groupMean, mean, scale);
  const projection = filteredDirections(noise, signal).mmul(
    randomMixing(Math.min(units, DIRECTIONS_MAX), bits, seed),
  );
  const kernel = new Float32Array(units * bits);
  const bias = new Float32Array(bits);
  for (let unit = 0; unit < units; unit++) {
    for (let bit = 0; bit < bits; bit++) {
      const value = Math.fround(projection.get(unit, bit) / (scale[unit] as number));
      kernel[unit * bits + bit] = value;
      bias[bit] = (bias[bit] as number) - value * (mean[unit] as number);
    }
  }
  return { kernel, bias };
}

interface WeighedSamples {
  /** Features less the mean of their group, each row times the square root of its weight; weights sum to 1. */
  readonly centred: Float32Array;
  /** Changed less plain features, weighed the same. */
  readonly differences: Float32Array;
  /** Mean features of each group that has images. */
  readonly means: readonly Float64Array[];
}

/** Group g of n_g images weighs n_g / √(its signal over noise); its images share that evenly. */
function weighedByGroup({ features, changed, units, groups }: FineSamples): WeighedSamples {
  const differences = changed.map((value, at) => value - (features[at] as number));
  const noise = meanSquares(differences, units);
  const centred = new Float32Array(features.length);
  const rowWeights = new Float64Array(groups.length);
  const means: Float64Array[] = [];
  for (const group of new Set(groups)) {
    const rows = [...groups.keys()].filter((row) => groups[row] === group);
    const mean = new Float64Array(units);
    for (const row of rows)
      for (let u = 0; u < units; u++)
        mean[u] = (mean[u] as number) + (features[row * units + u] as number) / rows.length;
    let ratio = 0;
    for (const row of rows) {
      for (let u = 0; u < units; u++) {
        const value = (features[row * units + u] as number) - (mean[u] as number);
        centred[row * units + u] = value;
        ratio += value ** 2 / ((noise[u] as number) + 1e-9) / units / rows.length;
      }
    }
    for (const row of rows) rowWeights[row] = 1 / Math.sqrt(ratio + 1e-9);
    means.push(mean);
  }
  const total = rowWeights.reduce((sum, weight) => sum + weight, 0);
  for (const values of [centred, differences]) {
    values.forEach((value, at) => {
      values[at] = value * Math.sqrt((rowWeights[Math.floor(at / units)] as number) / total);
    });
  }
  return { centred, differences, means };
}

function meanSquares(values: Float32Array, columns: number): Float64Array {
  const squares = new Float64Array(columns);
  const rows = values.length / columns;
  values.forEach((value, at) => {
    squares[at % columns] = (squares[at % columns] as number) + value ** 2 / rows;
  });
  return squares;
}

function averageOf(vectors: readonly Float64Array[]): Float64Array {
  const average = new Float64Array((vectors[0] as Float64Array).length);
  for (const vector of vectors)
    vector.forEach((value, at) => (average[at] = (average[at] as number) + value / vectors.length));
  return average;
}

/** Makes a group's mean, as seen from the average one, a direction of much noise. */
function addDirection(noise: Matrix, groupMean: Float64Array, mean: Float64Array, scale: Float64Array): void {
  const direction = groupMean.map(
    (value, unit) => (value - (mean[unit] as number)) / (scale[unit] as number),
  );
  const length = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
  if (length < 1e-6) return;
  for (let row = 0; row < noise.rows; row++) {
    for (let column = 0; column < noise.columns; column++) {
      // The product first: the matrix has to stay symmetric to the last bit.
      const product = (direction[row] as number) * (direction[column] as number);
      noise.set(row, column, noise.get(row, column) + (product * GROUP_NOISE) / length ** 2);
    }
  }
}

/** XᵀX for X of shape [count, units], computed by tfjs: the one large product here. */
function secondMoments(values: Float32Array, units: number): Matrix {
  const product = tf.tidy(() => {
    const x = tf.tensor2d(values, [values.length / units, units]);
    return tf.matMul(x, x, true, false).dataSync<'float32'>();
  });
  const moments = new Matrix(units, units);
  product.forEach((value, at) => moments.set(Math.floor(at / units), at % units, value));
  return moments;
}

function divideByOuterProduct(matrix: Matrix, scale: Float64Array): void {
  for (let row = 0; row < matrix.rows; row++) {
    for (let column = 0; column < matrix.columns; column++) {
      const divisor = (scale[row] as number) * (scale[column] as number);
      matrix.set(row, column, matrix.get(row, column) / divisor);
    }
  }
}

/** The kept generalised eigenvectors, each at its filtered length: shape [units, directions]. */
function filteredDirections(noise: Matrix, signal: Matrix): Matrix {
  const lower = new CholeskyDecomposition(noise).lowerTriangularMatrix;
  const half = solveLower(lower, signal);
  const whitened = solveLower(lower, half.transpose());
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(whitened, {
    assumeSymmetric: true,
  });
  const order = [...realEigenvalues.keys()]
    .sort((a, b) => (realEigenvalues[b] as number) - (realEigenvalues[a] as number))
    .slice(0, DIRECTIONS_MAX);
  const directions = solveUpper(lower, eigenvectorMatrix.subMatrixColumn(order));
  order.forEach((index, column) => {
    const ratio = Math.max(0, realEigenvalues[index] as number);
    directions.mulColumn(column, Math.sqrt(ratio) / (ratio + 1));
  });
  return directions;
}

/** X with lower · X = right. */
function solveLower(lower: Matrix, right: Matrix): Matrix {
  const result = right.to2DArray();
  for (let row = 0; row < lower.rows; row++) {
    const target = result[row] as number[];
    for (let before = 0; before < row; before++) {
      subtractMultiple(target, result[before] as number[], lower.get(row, before));
    }
    divide(target, lower.get(row, row));
  }
  return new Matrix(result);
}

/** X with lowerᵀ · X = right. */
function solveUpper(lower: Matrix, right: Matrix): Matrix {
  const result = right.to2DArray();
  for (let row = lower.rows - 1; row >= 0; row--) {
    const target = result[row] as number[];
    for (let after = row + 1; after < lower.rows; after++) {
      subtractMultiple(target, result[after] as number[], lower.get(after, row));
    }
    divide(target, lower.get(row, row));
  }
  return new Matrix(result);
}

function subtractMultiple(target: number[], source: readonly number[], factor: number): void {
  if (factor === 0) return;
  for (let at = 0; at < target.length; at++)
    target[at] = (target[at] as number) - factor * (source[at] as number);
}

function divide(target: number[], divisor: number): void {
  for (let at = 0; at < target.length; at++) target[at] = (target[at] as number) / divisor;
}

/** Shape [directions, bits]: columns of a random orthogonal matrix; more bits than directions are plain normal. */
function randomMixing(directions: number, bits: number, seed: number): Matrix {
  const random = seededRandom(seed, 'fine code');
  const rows = Array.from({ length: directions }, () => Array.from({ length: bits }, () => random.normal()));
  const normal = new Matrix(rows);
  return bits <= directions ? new QrDecomposition(normal).orthogonalMatrix : normal;
}
