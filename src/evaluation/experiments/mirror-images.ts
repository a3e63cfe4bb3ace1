import type { ImageSet } from '../rivals/rival.js';

/** The images and, after them, the mirror image of each (left and right swapped), of the same class; no descriptors. */
export function withMirrorImages({ images }: ImageSet): ImageSet {
  const { inputSize, labels, pixels } = images;
  const count = labels.length;
  const both = new Uint8Array(2 * pixels.length);
  both.set(pixels);
  for (let row = 0; row < count * inputSize; row++) {
    const from = row * inputSize;
    both.set(pixels.slice(from, from + inputSize).reverse(), pixels.length + from);
  }
  return {
    images: { ...images, labels: Uint16Array.from([...labels, ...labels]), pixels: both },
    descriptors: new Float32Array(0),
    descriptorDimensions: 0,
  };
}
