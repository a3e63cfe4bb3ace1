import { columnMeans } from './linear-algebra.js';
import { imageCount, type ImageSet, type RivalEncoder } from './rival.js';

/** The descriptors' mean, to centre them by. */
export function descriptorMeans(training: ImageSet): Float64Array {
  return columnMeans({
    rows: imageCount(training),
    columns: training.descriptorDimensions,
    values: training.descriptors,
  });
}

/** Bits that are signs of linear functions: row b of `directions` times (descriptor - means). */
export function linearEncoder(directions: readonly Float64Array[], means: Float64Array): RivalEncoder {
  return {
    encode: (set) => projectDescriptors(set, directions, means),
    close: () => undefined,
  };
}

/** @returns (descriptor - means) times each direction, shape [count, directions.length] */
export function projectDescriptors(
  set: ImageSet,
  directions: readonly Float64Array[],
  means: Float64Array,
): Float32Array {
  const { descriptors, descriptorDimensions: dimensions } = set;
  const count = imageCount(set);
  const offsets = directions.map((direction) => dotProduct(direction, means, 0));
  const projected = new Float32Array(count * directions.length);
  for (let row = 0; row < count; row++) {
    for (let b = 0; b < directions.length; b++) {
      const value = dotProduct(directions[b] as Float64Array, descriptors, row * dimensions);
      projected[row * directions.length + b] = value - (offsets[b] as number);
    }
  }
  return projected;
}

/** The sum of left[i] * right[start + i]. */
export function dotProduct(left: Float64Array, right: Float32Array | Float64Array, start: number): number {
  let sum = 0;
  for (let i = 0; i < left.length; i++) sum += (left[i] as number) * (right[start + i] as number);
  return sum;
}
