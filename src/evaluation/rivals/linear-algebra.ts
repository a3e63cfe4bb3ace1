/** The only file that imports ml-matrix. */
import { CholeskyDecomposition, EigenvalueDecomposition, Matrix, solve } from 'ml-matrix';

export { Matrix };

/** Rows of numbers as a flat array; shape [rows, columns]. */
export interface Rows {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array | Float64Array;
}

/** Means of the columns. */
export function columnMeans({ rows, columns, values }: Rows): Float64Array {
  const means = new Float64Array(columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      means[column] = (means[column] as number) + (values[at] as number) / rows;
    }
  }
  return means;
}

/** transpose(rows - means) times (rows - means): the scatter matrix, shape [columns, columns]. */
export function scatterOf({ rows, columns, values }: Rows, means: Float64Array): Matrix {
  const sums = new Float64Array(columns * columns);
  const centred = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns; i++)
      centred[i] = (values[row * columns + i] as number) - (means[i] as number);
    for (let i = 0; i < columns; i++) {
      const left = centred[i] as number;
      const start = i * columns;
      for (let j = i; j < columns; j++)
        sums[start + j] = (sums[start + j] as number) + left * (centred[j] as number);
    }
  }
  const scatter = new Matrix(columns, columns);
  for (let i = 0; i < columns; i++) {
    for (let j = i; j < columns; j++) {
      const value = sums[i * columns + j] as number;
      scatter.set(i, j, value);
      scatter.set(j, i, value);
    }
  }
  return scatter;
}

/**
 * Eigenvectors of a symmetric matrix, largest eigenvalue first.
 * @returns `vectors[i]` has length matrix.rows and norm 1
 */
export function symmetricEigen(
  matrix: Matrix,
  wanted: number,
): { values: number[]; vectors: Float64Array[] } {
  const decomposition = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const order = decomposition.realEigenvalues
    .map((value, index) => ({ value, index }))
    .sort((a, b) => b.value - a.value)
    .slice(0, wanted);
  return {
    values: order.map(({ value }) => value),
    vectors: order.map(({ index }) => Float64Array.from(decomposition.eigenvectorMatrix.getColumn(index))),
  };
}

/**
 * The vector a that makes a' A a / a' B a largest, for symmetric A and positive definite B: with B = L L' it is
 * inverse(L') times the first eigenvector of inverse(L) A inverse(L').
 */
export function largestGeneralisedEigenvector(a: Matrix, choleskyOfB: Matrix): Float64Array {
  const half = solve(choleskyOfB, a);
  const whole = solve(choleskyOfB, half.transpose());
  const symmetric = Matrix.add(whole, whole.transpose()).mul(0.5);
  const [vector] = symmetricEigen(symmetric, 1).vectors;
  const column = Matrix.columnVector(Array.from(vector as Float64Array));
  return Float64Array.from(solve(choleskyOfB.transpose(), column).getColumn(0));
}

/** The lower triangle L of a positive definite matrix L L'. */
export function choleskyOf(matrix: Matrix): Matrix {
  return new CholeskyDecomposition(matrix).lowerTriangularMatrix;
}
