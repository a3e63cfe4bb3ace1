import type { Network } from './network.js';
import type { Weights } from './weights.js';

/**
 * Scales and shifts units of the hash layer so that over a sample each gives embeddings of mean 0 and standard deviation
 * 1, the range that the signs are taken from.
 *
 * With plain Xavier weights every unit starts as a positive multiple of nearly the same number (ReLU activations share a
 * large mean), and pair terms cannot move that mean: their forces on two images cancel. Training then separates classes
 * by size instead of by sign: the loss is low, and all classes share one code. docs/training.md has the figures.
 * @param activations fc1 of the sample, shape [count, fc1 units]
 * @param firstUnit units before this one are left alone (those that a longer code took over)
 */
export function calibrateHashLayer(
  network: Network,
  weights: Weights,
  activations: Float32Array,
  firstUnit: number,
): Weights {
  const layer = network.layers.find(({ name }) => name === 'fc2') as { inUnits: number };
  const { inUnits } = layer;
  const { codeBits } = network;
  const kernel = (weights.get('fc2/kernel') as Float32Array).slice();
  const bias = (weights.get('fc2/bias') as Float32Array).slice();
  const count = activations.length / inUnits;
  for (let unit = firstUnit; unit < codeBits; unit++) {
    let [sum, sumOfSquares] = [0, 0];
    for (let row = 0; row < count; row++) {
      let value = 0;
      for (let at = 0; at < inUnits; at++) {
        value += (activations[row * inUnits + at] as number) * (kernel[at * codeBits + unit] as number);
      }
      sum += value;
      sumOfSquares += value * value;
    }
    const mean = sum / count;
    const std = Math.sqrt(Math.max(sumOfSquares / count - mean * mean, 1e-12));
    for (let at = 0; at < inUnits; at++)
      kernel[at * codeBits + unit] = (kernel[at * codeBits + unit] as number) / std;
    bias[unit] = -mean / std;
  }
  return new Map([...weights, ['fc2/kernel', kernel], ['fc2/bias', bias]]);
}
