import { KinscanError } from '../core/errors.js';
import { seededRandom } from './seeded-random.js';

/** Images of known class, decoded and resized; 8 bits a pixel keep 30,000 of 64×64 within 123 MB. */
export interface LabelledImages {
  readonly inputSize: number;
  readonly classNames: readonly string[];
  /** Shape [count]: index into classNames. */
  readonly labels: Uint16Array;
  /** Shape [count, inputSize, inputSize]: gray, 0 to 255. */
  readonly pixels: Uint8Array;
}

/** Mean and standard deviation of all pixels, on the scale 0 to 1. */
export interface Standardisation {
  readonly mean: number;
  readonly std: number;
}

/** Indices into LabelledImages. */
export interface Split {
  readonly training: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * Sets a share of every class aside for validation, by seed; at least one image of each class stays for training.
 * @param share 0 to 0.5
 */
export function splitByClass(images: LabelledImages, share: number, seed: number): Split {
  const training: number[] = [];
  const validation: number[] = [];
  for (let label = 0; label < images.classNames.length; label++) {
    const members = seededRandom(seed, 'split', label).shuffle(indicesOfClass(images.labels, label));
    const held = Math.floor(members.length * share);
    validation.push(...members.slice(0, held));
    training.push(...members.slice(held));
  }
  return { training: Uint32Array.from(training).sort(), validation: Uint32Array.from(validation).sort() };
}

function indicesOfClass(labels: Uint16Array, label: number): number[] {
  const members: number[] = [];
  labels.forEach((other, index) => {
    if (other === label) members.push(index);
  });
  return members;
}

/**
 * @throws KinscanError INVALID_TRAINING_DATA where every pixel is the same
 */
export function standardisationOf(images: LabelledImages, indices: Uint32Array): Standardisation {
  const pixelsPerImage = images.inputSize ** 2;
  const histogram = new Float64Array(256);
  for (const index of indices) {
    const image = images.pixels.subarray(index * pixelsPerImage, (index + 1) * pixelsPerImage);
    for (const level of image) histogram[level] = (histogram[level] as number) + 1;
  }
  const total = indices.length * pixelsPerImage;
  let mean = 0;
  histogram.forEach((count, level) => (mean += ((level / 255) * count) / total));
  let variance = 0;
  histogram.forEach((count, level) => (variance += ((level / 255 - mean) ** 2 * count) / total));
  if (variance === 0)
    throw new KinscanError('INVALID_TRAINING_DATA', 'every pixel of the training images has the same value');
  // Rounded to float32, so that the artefact, ONNX and tfjs hold the very same numbers.
  return { mean: Math.fround(mean), std: Math.fround(Math.sqrt(variance)) };
}
