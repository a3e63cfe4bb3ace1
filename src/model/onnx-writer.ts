import { sizeOfShape } from './network.js';
import type { ConcatenationLayer, DenseLayer, Layer, Network } from './network.js';
import { encodeOnnxModel, ONNX_ATTRIBUTE, ONNX_EXTERNAL, ONNX_FLOAT, ONNX_INT64 } from './onnx-schema.js';
import type { OnnxAttribute, OnnxNode, OnnxTensor } from './onnx-schema.js';
import type { Standardisation } from './training-set.js';

/** Name of the graph's input: shape [n, inputSize, inputSize], gray 0 to 1, before standardisation. */
export const ONNX_INPUT = 'pixels';
const IR_VERSION = 8;
const OPSET_VERSION = 17;
const INT64_BYTES = 8;

/** A tensor of the graph: feature maps [n, channels, rows, columns], or rows [n, units]. */
interface Value {
  readonly name: string;
  readonly isMaps: boolean;
}

/** What has been written of the graph so far. */
interface GraphParts {
  readonly nodes: OnnxNode[];
  readonly initializers: OnnxTensor[];
}

/**
 * The network as an ONNX graph. Its weights are not in it: they are external data in `weightsFile`, the very bytes that
 * tfjs reads, so they are stored once. tfjs and ONNX lay tensors out differently (channels last and first); nodes that
 * ONNX runtime folds while loading turn the kernels, and one turn before fc1 keeps its rows in tfjs's order.
 * The result depends on the arguments alone.
 * @param weightsFile file name beside the ONNX file: float32 little-endian in the order of network.parameters
 */
export function writeOnnx(
  network: Network,
  standardisation: Standardisation,
  weightsFile: string,
): Uint8Array {
  const parts: GraphParts = { nodes: [], initializers: externalWeights(network, weightsFile) };
  let current: Value = { name: addPreprocessing(parts, network, standardisation), isMaps: true };
  const values = new Map<string, Value>();
  for (const layer of network.layers) {
    if (layer.kind === 'concatenation') {
      const rows = layer.from.map((name) => addRows(parts, values.get(name) as Value));
      current = { name: addNode(parts, 'Concat', rows, layer.name, [integer('axis', 1)]), isMaps: false };
    } else {
      const from = 'from' in layer && layer.from !== undefined ? (values.get(layer.from) as Value) : current;
      current = addLayer(parts, layer, from);
    }
    values.set(layer.name, current);
  }
  for (const output of network.outputs) {
    addNode(parts, 'Identity', [(values.get(output.layer) as Value).name], output.name);
  }
  return encodeOnnxModel({
    irVersion: IR_VERSION,
    producerName: 'kinscan',
    opsetImport: [{ domain: '', version: OPSET_VERSION }],
    graph: {
      name: 'hashing-network',
      node: parts.nodes,
      initializer: parts.initializers,
      input: [valueInfo(ONNX_INPUT, [network.inputSize, network.inputSize])],
      output: network.outputs.map((output) => valueInfo(output.name, [output.units])),
    },
  });
}

function externalWeights(network: Network, weightsFile: string): OnnxTensor[] {
  let offset = 0;
  return network.parameters.map((spec) => {
    const length = 4 * sizeOfShape(spec.shape);
    const externalData = [
      { key: 'location', value: weightsFile },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(length) },
    ];
    offset += length;
    return {
      name: spec.name,
      dims: spec.shape,
      dataType: ONNX_FLOAT,
      externalData,
      dataLocation: ONNX_EXTERNAL,
    };
  });
}

/** Standardises and adds the channel axis; padding comes after it, so it is zero as in tfjs. */
function addPreprocessing(parts: GraphParts, network: Network, standardisation: Standardisation): string {
  parts.initializers.push(floatScalar('mean', standardisation.mean), floatScalar('std', standardisation.std));
  parts.initializers.push(int64Vector('imageShape', [-1, 1, network.inputSize, network.inputSize]));
  addNode(parts, 'Sub', [ONNX_INPUT, 'mean'], 'centred');
  addNode(parts, 'Div', ['centred', 'std'], 'standardised');
  return addNode(parts, 'Reshape', ['standardised', 'imageShape'], 'images');
}

function addLayer(parts: GraphParts, layer: Exclude<Layer, ConcatenationLayer>, input: Value): Value {
  const { name } = layer;
  switch (layer.kind) {
    case 'convolution': {
      const perm = [integers('perm', [3, 2, 0, 1])];
      const kernel = addNode(parts, 'Transpose', [`${name}/kernel`], `${name}/kernelOihw`, perm);
      const inputs = [input.name, kernel, `${name}/bias`];
      const sum = addNode(parts, 'Conv', inputs, `${name}/sum`, [text('auto_pad', 'SAME_UPPER')]);
      return { name: addNode(parts, 'Relu', [sum], name), isMaps: true };
    }
    case 'maxPooling': {
      const window = poolingWindow(layer.windowSize, layer.stride);
      return { name: addNode(parts, 'MaxPool', [input.name], name, window), isMaps: true };
    }
    case 'averagePooling': {
      const window = [...poolingWindow(layer.windowSize, layer.stride), integer('count_include_pad', 0)];
      return { name: addNode(parts, 'AveragePool', [input.name], name, window), isMaps: true };
    }
    case 'dense':
      return { name: addDense(parts, layer, addRows(parts, input)), isMaps: false };
  }
}

/** Rows in tfjs's order: the channels of a pixel stand together. */
function addRows(parts: GraphParts, value: Value): string {
  if (!value.isMaps) return value.name;
  const perm = [integers('perm', [0, 2, 3, 1])];
  const channelsLast = addNode(parts, 'Transpose', [value.name], `${value.name}/channelsLast`, perm);
  return addNode(parts, 'Flatten', [channelsLast], `${value.name}/rows`);
}

function poolingWindow(windowSize: number, stride: number): OnnxAttribute[] {
  return [
    text('auto_pad', 'SAME_UPPER'),
    integers('kernel_shape', [windowSize, windowSize]),
    integers('strides', [stride, stride]),
  ];
}

function addDense(parts: GraphParts, layer: DenseLayer, rows: string): string {
  const { name } = layer;
  const product = addNode(parts, 'MatMul', [rows, `${name}/kernel`], `${name}/product`);
  if (layer.activation === 'linear') return addNode(parts, 'Add', [product, `${name}/bias`], name);
  const sum = addNode(parts, 'Add', [product, `${name}/bias`], `${name}/sum`);
  return addNode(parts, 'Relu', [sum], name);
}

function addNode(
  parts: GraphParts,
  opType: string,
  input: string[],
  output: string,
  attribute: OnnxAttribute[] = [],
): string {
  parts.nodes.push({ name: `${output}:${opType}`, opType, input, output: [output], attribute });
  return output;
}

function integer(name: string, i: number): OnnxAttribute {
  return { name, type: ONNX_ATTRIBUTE.int, i };
}

function integers(name: string, ints: readonly number[]): OnnxAttribute {
  return { name, type: ONNX_ATTRIBUTE.ints, ints };
}

function text(name: string, value: string): OnnxAttribute {
  return { name, type: ONNX_ATTRIBUTE.string, s: Buffer.from(value) };
}

function floatScalar(name: string, value: number): OnnxTensor {
  return { name, dims: [], dataType: ONNX_FLOAT, rawData: new Uint8Array(Float32Array.of(value).buffer) };
}

function int64Vector(name: string, values: readonly number[]): OnnxTensor {
  const rawData = Buffer.alloc(values.length * INT64_BYTES);
  values.forEach((value, index) => rawData.writeBigInt64LE(BigInt(value), index * INT64_BYTES));
  return { name, dims: [values.length], dataType: ONNX_INT64, rawData };
}

/** A float tensor [n, ...sides]; n is free. */
function valueInfo(name: string, sides: readonly number[]): object {
  const dim = [{ dimParam: 'n' }, ...sides.map((dimValue) => ({ dimValue }))];
  return { name, type: { tensorType: { elemType: ONNX_FLOAT, shape: { dim } } } };
}
