import type { GrayFrame } from './gray-frame.js';

/** Where one output sample takes its inputs: `weights[i]` belongs to input `first + i`; weights sum to 1. */
interface Tap {
  readonly first: number;
  readonly weights: Float32Array;
}

/**
 * Stretches a frame to size x size, without keeping its aspect, as training and encoding both do.
 *
 * A separable triangle filter, widened to the scale when shrinking so that every input pixel counts (no aliasing), and
 * plain bilinear interpolation when enlarging. Rows first, then columns; float arithmetic in a fixed order, so that the
 * same frame gives the same pixels everywhere. A frame of the wanted size is returned as it is (the same array).
 * @returns shape [size, size], 0 to 1
 */
export function resizeToSquare(frame: GrayFrame, size: number): Float32Array {
  return resize(frame, size, size).pixels;
}

/** As resizeToSquare, to any width and height in pixels. */
export function resize(frame: GrayFrame, width: number, height: number): GrayFrame {
  if (frame.width === width && frame.height === height) return frame;
  const horizontal = resizeRows(frame, tapsOf(frame.width, width));
  return { width, height, pixels: resizeColumns(horizontal, width, tapsOf(frame.height, height)) };
}

function resizeRows(frame: GrayFrame, taps: readonly Tap[]): Float32Array {
  const { width, height, pixels } = frame;
  const output = new Float32Array(taps.length * height);
  for (let row = 0, to = 0; row < height; row++) {
    for (const { first, weights } of taps) {
      const start = row * width + first;
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += (weights[i] as number) * (pixels[start + i] as number);
      output[to++] = sum;
    }
  }
  return output;
}

function resizeColumns(input: Float32Array, width: number, taps: readonly Tap[]): Float32Array {
  const output = new Float32Array(width * taps.length);
  for (let row = 0; row < taps.length; row++) {
    const { first, weights } = taps[row] as Tap;
    const target = output.subarray(row * width, (row + 1) * width);
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] as number;
      const start = (first + i) * width;
      for (let column = 0; column < width; column++) {
        target[column] = (target[column] as number) + weight * (input[start + column] as number);
      }
    }
  }
  for (let i = 0; i < output.length; i++) output[i] = Math.min(1, Math.max(0, output[i] as number));
  return output;
}

/** Sample centres are at half pixels: output x lies at (x + 0.5) * scale - 0.5 of the input. */
function tapsOf(inputLength: number, outputLength: number): Tap[] {
  const scale = inputLength / outputLength;
  const reach = Math.max(1, scale);
  return Array.from({ length: outputLength }, (_, index) => {
    const centre = (index + 0.5) * scale - 0.5;
    const first = Math.max(0, Math.ceil(centre - reach));
    const last = Math.min(inputLength - 1, Math.floor(centre + reach));
    const weights = new Float32Array(last - first + 1);
    let sum = 0;
    for (let i = first; i <= last; i++) {
      const weight = Math.max(0, 1 - Math.abs(i - centre) / reach);
      weights[i - first] = weight;
      sum += weight;
    }
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}
