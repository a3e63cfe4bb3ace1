import { Random } from '../../../src/core/random.js';
import { bitOf, packEmbeddings, type PackedCodes } from '../../../src/core/packed-codes.js';
import { NO_AUGMENTATION } from '../../../src/model/augmentation.js';
import type { FitOptions, ImageSet } from '../../../src/evaluation/rivals/rival.js';

/** A set of descriptors without images. */
export function descriptorSet(rows: readonly (readonly number[])[], labels: readonly number[]): ImageSet {
  const classNames = [...new Set(labels)].sort((a, b) => a - b).map((label) => `class ${label}`);
  return {
    images: {
      inputSize: 1,
      classNames,
      labels: Uint16Array.from(labels),
      pixels: new Uint8Array(rows.length),
    },
    descriptors: Float32Array.from(rows.flat()),
    descriptorDimensions: rows[0]?.length ?? 0,
  };
}

/**
 * Images of stripes, 16x16, without descriptors: class c has stripes of orientation c (0 vertical, 1 horizontal,
 * 2 diagonal) with a random phase and noise, so that single pixels say nothing about the class.
 */
export function stripeSet(imagesPerClass: number, classCount: number, seed: number): ImageSet {
  const size = 16;
  const random = new Random(seed);
  const count = imagesPerClass * classCount;
  const pixels = new Uint8Array(count * size * size);
  const labels = Uint16Array.from({ length: count }, (_, i) => i % classCount);
  for (let i = 0; i < count; i++) {
    const phase = random.uniform() * 2 * Math.PI;
    for (let at = 0; at < size * size; at++) {
      const [x, y] = [at % size, Math.floor(at / size)];
      const position = [x, y, (x + y) / Math.SQRT2][labels[i] as number] as number;
      const value = 0.5 + 0.35 * Math.sin(position * 1.4 + phase) + 0.08 * random.normal();
      pixels[i * size * size + at] = Math.round(255 * Math.min(1, Math.max(0, value)));
    }
  }
  const classNames = Array.from({ length: classCount }, (_, label) => `stripes ${label}`);
  return {
    images: { inputSize: size, classNames, labels, pixels },
    descriptors: new Float32Array(0),
    descriptorDimensions: 0,
  };
}

export function fitOptions(codeBits: number, iterations = 1, batchSize = 24): FitOptions {
  const budget = { iterations, trunkIterations: 0, batchSize, augmentation: NO_AUGMENTATION, mirror: false };
  return { codeBits, seed: 7, budget };
}

/** Mean Hamming distance between images of the same class and between images of different classes. */
export function meanDistances(
  values: Float32Array,
  codeBits: number,
  labels: Uint16Array,
): { same: number; other: number } {
  const codes = packEmbeddings(values, codeBits);
  const sums = { same: 0, other: 0, sameCount: 0, otherCount: 0 };
  for (let a = 0; a < codes.count; a++) {
    for (let b = a + 1; b < codes.count; b++) {
      const distance = distanceOf(codes, a, b);
      if (labels[a] === labels[b]) {
        sums.same += distance;
        sums.sameCount += 1;
      } else {
        sums.other += distance;
        sums.otherCount += 1;
      }
    }
  }
  return { same: sums.same / sums.sameCount, other: sums.other / sums.otherCount };
}

function distanceOf(codes: PackedCodes, a: number, b: number): number {
  let distance = 0;
  for (let bit = 0; bit < codes.codeBits; bit++)
    if (bitOf(codes, a, bit) !== bitOf(codes, b, bit)) distance += 1;
  return distance;
}
