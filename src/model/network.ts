import { KinscanError } from '../core/errors.js';

/** 5×5 convolution, stride 1, 'same' padding (zeros, after standardisation), then ReLU. */
export interface ConvolutionLayer {
  readonly kind: 'convolution';
  readonly name: string;
  readonly filterSize: number;
  readonly inChannels: number;
  readonly outChannels: number;
}

/** Pooling with 'same' padding; averages count only the pixels inside the image. */
export interface PoolingLayer {
  readonly kind: 'maxPooling' | 'averagePooling';
  readonly name: string;
  readonly windowSize: number;
  readonly stride: number;
  /** Name of the layer whose output this one takes; absent: the layer before it in the list. */
  readonly from?: string;
}

/** The outputs of some layers side by side, each flattened by rows, columns, channels. */
export interface ConcatenationLayer {
  readonly kind: 'concatenation';
  readonly name: string;
  readonly from: readonly string[];
}

/** Fully connected; the first one flattens rows, columns, channels (in this order). */
export interface DenseLayer {
  readonly kind: 'dense';
  readonly name: string;
  readonly inUnits: number;
  readonly outUnits: number;
  readonly activation: 'relu' | 'linear';
}

export type Layer = ConvolutionLayer | PoolingLayer | ConcatenationLayer | DenseLayer;

/** One trained tensor: kernels are [height, width, in, out] or [in, out], biases [out] (TensorFlow's order). */
export interface ParameterSpec {
  readonly name: string;
  readonly role: 'kernel' | 'bias';
  readonly shape: readonly number[];
  readonly fanIn: number;
  readonly fanOut: number;
}

/** A result of the network that callers ask for by name. */
export interface NetworkOutput {
  readonly name: 'embedding' | 'fineEmbedding';
  readonly layer: string;
  readonly units: number;
}

/**
 * One branch of the Siamese pair, as data: the forward pass in tfjs, the ONNX file and the initial weights are all
 * derived from it.
 *
 *   [n, S, S] gray, standardised
 *     conv1 5×5×32 ReLU   max pool 3/2
 *     conv2 5×5×32 ReLU   average pool 3/2 ──┐
 *     conv3 5×5×64 ReLU   average pool 3/2 ──┤   (only where a fine code was learned)
 *     fc1 500 ReLU                           each averaged to 4×4, side by side
 *     fc2 k linear                           fine f linear
 *       = embedding [n, k]                     = fineEmbedding [n, f]
 */
export interface Network {
  /** Side of the square input, in pixels. */
  readonly inputSize: number;
  readonly codeBits: number;
  /** Length of the fine code in bits; 0 where the model has none. */
  readonly fineCodeBits: number;
  readonly layers: readonly Layer[];
  readonly parameters: readonly ParameterSpec[];
  readonly outputs: readonly NetworkOutput[];
}

export interface NetworkOptions {
  readonly inputSize: number;
  readonly codeBits: number;
  /** @default 0 */
  readonly fineCodeBits?: number;
}

export const INPUT_SIZE_MIN = 16;
export const INPUT_SIZE_MAX = 256;
/** Units of fc1: the activations before the hash layer. */
export const ACTIVATION_UNITS = 500;
const CODE_BITS_MAX = 256;
const FINE_CODE_BITS_MAX = 512;

/**
 * The paper's branch (Cai et al. 2019, Fig. 1) with 'same' padding.
 * @throws KinscanError INVALID_ARGUMENT where a size is out of range
 */
export function hashingNetwork(options: NetworkOptions): Network {
  const { inputSize, codeBits, fineCodeBits = 0 } = options;
  checkRange('the input size', inputSize, INPUT_SIZE_MIN, INPUT_SIZE_MAX, 1);
  checkRange('the code length', codeBits, 8, CODE_BITS_MAX, 8);
  checkRange('the fine code length', fineCodeBits, 0, FINE_CODE_BITS_MAX, 8);
  const side = [1, 2, 3].reduce((pixels) => Math.ceil(pixels / 2), inputSize);
  const layers: Layer[] = [
    { kind: 'convolution', name: 'conv1', filterSize: 5, inChannels: 1, outChannels: 32 },
    { kind: 'maxPooling', name: 'pool1', windowSize: 3, stride: 2 },
    { kind: 'convolution', name: 'conv2', filterSize: 5, inChannels: 32, outChannels: 32 },
    { kind: 'averagePooling', name: 'pool2', windowSize: 3, stride: 2 },
    { kind: 'convolution', name: 'conv3', filterSize: 5, inChannels: 32, outChannels: 64 },
    { kind: 'averagePooling', name: 'pool3', windowSize: 3, stride: 2 },
    { kind: 'dense', name: 'fc1', inUnits: side * side * 64, outUnits: ACTIVATION_UNITS, activation: 'relu' },
    { kind: 'dense', name: 'fc2', inUnits: ACTIVATION_UNITS, outUnits: codeBits, activation: 'linear' },
  ];
  const outputs: NetworkOutput[] = [{ name: 'embedding', layer: 'fc2', units: codeBits }];
  if (fineCodeBits > 0) {
    layers.push(...fineLayers(inputSize, fineCodeBits));
    outputs.push({ name: 'fineEmbedding', layer: 'fine', units: fineCodeBits });
  }
  return { inputSize, codeBits, fineCodeBits, layers, parameters: layers.flatMap(parametersOf), outputs };
}

/** Name of the layer that the fine code is a linear map of. */
export const FINE_FEATURES = 'fineFeatures';
/** Feature maps are averaged to about this side for the fine code. */
const FINE_GRID = 4;

/** fc1 knows little more than the class; the maps before it still know the image (docs/training.md has the figures). */
function fineLayers(inputSize: number, fineCodeBits: number): Layer[] {
  const side2 = Math.ceil(Math.ceil(inputSize / 2) / 2);
  const side3 = Math.ceil(side2 / 2);
  const window2 = Math.ceil(side2 / FINE_GRID);
  const window3 = Math.ceil(side3 / FINE_GRID);
  const units = 32 * Math.ceil(side2 / window2) ** 2 + 64 * Math.ceil(side3 / window3) ** 2;
  return [
    { kind: 'averagePooling', name: 'finePool2', from: 'pool2', windowSize: window2, stride: window2 },
    { kind: 'averagePooling', name: 'finePool3', from: 'pool3', windowSize: window3, stride: window3 },
    { kind: 'concatenation', name: FINE_FEATURES, from: ['finePool2', 'finePool3'] },
    { kind: 'dense', name: 'fine', inUnits: units, outUnits: fineCodeBits, activation: 'linear' },
  ];
}

function parametersOf(layer: Layer): ParameterSpec[] {
  if (layer.kind === 'convolution') {
    const { name, filterSize, inChannels, outChannels } = layer;
    const fanIn = filterSize * filterSize * inChannels;
    const fanOut = filterSize * filterSize * outChannels;
    return [
      {
        name: `${name}/kernel`,
        role: 'kernel',
        shape: [filterSize, filterSize, inChannels, outChannels],
        fanIn,
        fanOut,
      },
      { name: `${name}/bias`, role: 'bias', shape: [outChannels], fanIn, fanOut },
    ];
  }
  if (layer.kind === 'dense') {
    const { name, inUnits: fanIn, outUnits: fanOut } = layer;
    return [
      { name: `${name}/kernel`, role: 'kernel', shape: [fanIn, fanOut], fanIn, fanOut },
      { name: `${name}/bias`, role: 'bias', shape: [fanOut], fanIn, fanOut },
    ];
  }
  return [];
}

/** Number of values in a tensor of this shape. */
export function sizeOfShape(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

function checkRange(what: string, value: number, min: number, max: number, step: number): void {
  if (!Number.isInteger(value) || value < min || value > max || value % step !== 0) {
    const multiple = step === 1 ? 'a whole number' : `a multiple of ${step}`;
    throw new KinscanError('INVALID_ARGUMENT', `${what} is ${multiple} from ${min} to ${max}, not ${value}`);
  }
}
