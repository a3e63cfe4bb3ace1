import { assert } from '../core/errors.js';
import type { ConcatenationLayer, Layer, Network } from './network.js';
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
  const outputOf = (name: string): tf.Tensor => {
    const output = results.get(name);
    assert(output !== undefined, `layer ${name} stands before the layers that take its output`);
    return output;
  };
  for (const layer of network.layers.slice(0, last + 1)) {
    if (layer.kind === 'concatenation') {
      current = tf.concat(
        layer.from.map((name) => rowsOf(outputOf(name))),
        1,
      );
    } else {
      const from = 'from' in layer && layer.from !== undefined ? outputOf(layer.from) : current;
      current = layerOutput(layer, parameters, from);
    }
    results.set(layer.name, current);
  }
  return outputs.map((name) => results.get(name) as tf.Tensor2D);
}

function layerOutput(
  layer: Exclude<Layer, ConcatenationLayer>,
  parameters: ParameterTensors,
  input: tf.Tensor,
): tf.Tensor {
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
      const sum = tf.add(tf.matMul(rowsOf(input), kernel), bias);
      return layer.activation === 'relu' ? tf.relu(sum) : sum;
    }
  }
}

/** Flattens all but the batch axis. */
function rowsOf(tensor: tf.Tensor): tf.Tensor2D {
  return tf.reshape(tensor, [tensor.shape[0], -1]);
}
