import { augmentImage, augments, type Augmentation } from './augmentation.js';
import type { Random } from '../core/random.js';
import type { LabelledImages, Standardisation } from './training-set.js';

/**
 * The standardised pixels of some images.
 * @param change random changes for training; absent: the images as they are
 * @returns shape [indices.length, inputSize, inputSize]
 */
export function standardisedBatch(
  images: LabelledImages,
  indices: Uint32Array,
  standardisation: Standardisation,
  change?: { readonly augmentation: Augmentation; readonly random: Random },
): Float32Array {
  const { mean, std } = standardisation;
  const pixelsPerImage = images.inputSize ** 2;
  const batch = new Float32Array(indices.length * pixelsPerImage);
  indices.forEach((index, row) => {
    const source = images.pixels.subarray(index * pixelsPerImage, (index + 1) * pixelsPerImage);
    const target = batch.subarray(row * pixelsPerImage, (row + 1) * pixelsPerImage);
    if (change !== undefined && augments(change.augmentation)) {
      augmentImage(source, images.inputSize, change.augmentation, change.random, target);
    } else {
      for (let at = 0; at < pixelsPerImage; at++) target[at] = (source[at] as number) / 255;
    }
    for (let at = 0; at < pixelsPerImage; at++) target[at] = ((target[at] as number) - mean) / std;
  });
  return batch;
}
