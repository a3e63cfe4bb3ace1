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

/** Directions kept before they are mixed into bits. */
const DIRECTIONS_MAX = 512;
/** Added to the diagonal of the noise covariance, on the scale where each feature has noise 1. */
const RIDGE = 0.01;

/**
 * Learns, without labels, a binary code that tells images apart but not an image from a slightly changed copy of it:
 *
 *   N  covariance of (feature of the changed copy − feature), the noise
 *   S  covariance of features over images, the signal
 *   generalised eigenvectors of S v = λ N v: λ is signal over noise in direction v, in units of noise
 *   keep the directions with the greatest λ, give each the length √λ / (λ + 1) (a Wiener filter, so that none
 *   dominates), and mix them by a random orthogonal matrix into bits of equal worth
 *
 * Plain PCA with iterative quantisation was tried first; docs/training.md compares. tfjs's backend must be chosen.
 * @param features shape [count, units]
 * @param changed the same images after a small random change, shape [count, units]
 */
export function learnFineCode(
  features: Float32Array,
  changed: Float32Array,
  units: number,
  bits: number,
  seed: number,
): FineProjection {
  assert(features.length === changed.length, 'every image has one changed copy');
  const count = features.length / units;
  const mean = columnMeans(features, units);
  const centred = features.map((value, at) => value - (mean[at % units] as number));
  const differences = changed.map((value, at) => value - (features[at] as number));
  const noise = secondMoments(differences, count, units);
  const signal = secondMoments(centred, count, units);
  const scale = Float64Array.from({ length: units }, (_, unit) => Math.sqrt(noise.get(unit, unit) + 1e-9));
  for (const matrix of [noise, signal]) divideByOuterProduct(matrix, scale);
  for (let unit = 0; unit < units; unit++) noise.set(unit, unit, noise.get(unit, unit) + RIDGE);
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

function columnMeans(values: Float32Array, columns: number): Float64Array {
  const means = new Float64Array(columns);
  const rows = values.length / columns;
  values.forEach((value, at) => (means[at % columns] = (means[at % columns] as number) + value / rows));
  return means;
}

/** XᵀX / count for X of shape [count, units], computed by tfjs: the one large product here. */
function secondMoments(values: Float32Array, count: number, units: number): Matrix {
  const product = tf.tidy(() => {
    const x = tf.tensor2d(values, [count, units]);
    return tf.div(tf.matMul(x, x, true, false), count).dataSync<'float32'>();
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
