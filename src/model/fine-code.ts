import { EigenvalueDecomposition, Matrix, QrDecomposition, SingularValueDecomposition } from 'ml-matrix';
import { assert } from '../core/errors.js';
import { seededRandom } from './seeded-random.js';

/** The fine code as a linear layer on features: its outputs' signs are the bits. */
export interface FineProjection {
  /** Shape [units, bits]. */
  readonly kernel: Float32Array;
  /** Shape [bits]. */
  readonly bias: Float32Array;
}

const ITERATIONS = 30;

/**
 * Learns a code without labels by iterative quantisation (Gong, Lazebnik, Gordo and Perronnin, "Iterative Quantization",
 * IEEE TPAMI 35, 2013): centre the features, keep the `bits` main directions (PCA), then turn them so that the signs lose
 * least: alternately B = sign(ZR) and R = the orthogonal matrix nearest to ZᵀB.
 * @param features shape [count, units]; count is best several times `bits`
 * @param bits at most units
 */
export function learnFineCode(
  features: Float32Array,
  units: number,
  bits: number,
  seed: number,
): FineProjection {
  assert(bits <= units, 'a fine code has at most one bit per feature');
  const count = features.length / units;
  const mean = columnMeans(features, units);
  const centred = new Matrix(count, units);
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < units; column++) {
      centred.set(row, column, (features[row * units + column] as number) - (mean[column] as number));
    }
  }
  const directions = mainDirections(centred, bits);
  const rotation = learnRotation(centred.mmul(directions), bits, seed);
  const projection = directions.mmul(rotation);
  const kernel = Float32Array.from(projection.to1DArray());
  const bias = new Float32Array(bits);
  for (let bit = 0; bit < bits; bit++) {
    let sum = 0;
    for (let unit = 0; unit < units; unit++) sum += (mean[unit] as number) * projection.get(unit, bit);
    bias[bit] = -sum;
  }
  return { kernel, bias };
}

function columnMeans(values: Float32Array, columns: number): Float64Array {
  const means = new Float64Array(columns);
  const rows = values.length / columns;
  values.forEach((value, at) => (means[at % columns] = (means[at % columns] as number) + value / rows));
  return means;
}

/** The eigenvectors of the covariance with the greatest eigenvalues, shape [units, bits]. */
function mainDirections(centred: Matrix, bits: number): Matrix {
  const covariance = centred.transpose().mmul(centred).div(centred.rows);
  const decomposition = new EigenvalueDecomposition(covariance, { assumeSymmetric: true });
  const vectors = decomposition.eigenvectorMatrix;
  const order = decomposition.realEigenvalues
    .map((value, index) => ({ value, index }))
    .sort((a, b) => b.value - a.value)
    .slice(0, bits)
    .map(({ index }) => index);
  return vectors.subMatrixColumn(order);
}

function learnRotation(projected: Matrix, bits: number, seed: number): Matrix {
  const random = seededRandom(seed, 'fine code');
  let rotation = new QrDecomposition(Matrix.zeros(bits, bits).apply(drawNormal)).orthogonalMatrix;
  function drawNormal(this: Matrix, row: number, column: number): void {
    this.set(row, column, random.normal());
  }
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const signs = projected.mmul(rotation).apply(function (row, column) {
      this.set(row, column, this.get(row, column) >= 0 ? 1 : -1);
    });
    const { leftSingularVectors, rightSingularVectors } = new SingularValueDecomposition(
      projected.transpose().mmul(signs),
    );
    rotation = leftSingularVectors.mmul(rightSingularVectors.transpose());
  }
  return rotation;
}
