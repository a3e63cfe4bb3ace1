import { assert } from '../core/errors.js';
import type { Layer, Network } from './network.js';
import { tf } from './tf.js';

/** Tensors by parameter name; tf.Variable where they are being trained. */
export type ParameterTensors = ReadonlyMap<string, tf.Tensor>;

/**
 * The forward pass in tfjs. Run inside tf.tidy or a gradient.
 * @param images shape [n, inputSize, inputSize, 1], standardised
 * @param outputs names of Layers whose output is wanted
 * @returns one tensor [n, units] for each name
 */
export function forward(
  network: Network,
  parameters: ParameterTensors,
  images: tf.Tensor4D,
  outputs: readonly string[],
): tf.Tensor2D[] {
  const results = new Map<string, tf.Tensor>();
  const last = Math.max(...outputs.map((name) => network.layers.findIndex((layer) => layer.name === name)));
  let current: tf.Tensor = images;
  for (const layer of network.layers.slice(0, last + 1)) {
    const from = layer.kind === 'dense' && layer.from !== undefined ? results.get(layer.from) : current;
    assert(from !== undefined, `layer ${layer.name} takes the output of an earlier layer`);
    current = layerOutput(layer, parameters, from);
    results.set(layer.name, current);
  }
  return outputs.map((name) => results.get(name) as tf.Tensor2D);
}

function layerOutput(layer: Layer, parameters: ParameterTensors, input: tf.Tensor): tf.Tensor {
  switch (layer.kind) {
    case 'convolution': {
      const kernel = parameters.get(`${layer.name}/kernel`) as tf.Tensor4D;
      const bias = parameters.get(`${layer.name}/bias`) as tf.Tensor1D;
      return tf.relu(tf.add(tf.conv2d(input as tf.Tensor4D, kernel, 1, 'same'), bias));
    }
    case 'maxPooling':
      return tf.maxPool(input as tf.Tensor4D, layer.windowSize, layer.stride, 'same');
    case 'averagePooling':
      return tf.avgPool(input as tf.Tensor4D, layer.windowSize, layer.stride, 'same');
    case 'dense': {
      const kernel = parameters.get(`${layer.name}/kernel`) as tf.Tensor2D;
      const bias = parameters.get(`${layer.name}/bias`) as tf.Tensor1D;
      const flat = tf.reshape(input, [input.shape[0], layer.inUnits]);
      const sum = tf.add(tf.matMul(flat, kernel), bias);
      return layer.activation === 'relu' ? tf.relu(sum) : sum;
    }
  }
}
