import { assert } from '../../core/errors.js';
import { tf } from '../tf.js';
import { KernelScope, replaceWasmKernel } from './wasm-kernel.js';

interface Attributes {
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number;
  readonly dataFormat: 'NHWC' | 'NCHW';
  readonly inputShape: [number, number, number, number];
}

/**
 * Gradient of a stride-1 convolution by its input: the convolution of dy with the filter turned by 180° and its channel
 * axes swapped. The wasm backend's own kernel is a naive loop.
 */
export function registerConv2dBackpropInput(): void {
  replaceWasmKernel('Conv2DBackpropInput', ({ inputs, backend, attrs }) => {
    const { strides, pad, dataFormat, inputShape } = attrs as unknown as Attributes;
    const dy = inputs['dy'] as tf.TensorInfo;
    const filter = inputs['filter'] as tf.TensorInfo;
    assert(dataFormat === 'NHWC', 'channels come last');
    const filterShape = filter.shape as [number, number, number, number];
    const info = tf.backend_util.computeConv2DInfo(inputShape, filterShape, strides, 1, pad);
    assert(info.strideHeight === 1 && info.strideWidth === 1, 'our input gradient is for stride 1');
    const scope = new KernelScope(backend);
    const turned = scope.run('Reverse', { x: filter }, { dims: [0, 1] });
    const swapped = scope.run('Transpose', { x: turned }, { perm: [0, 1, 3, 2] });
    const { top, bottom, left, right } = info.padInfo;
    const [height, width] = [info.filterHeight - 1, info.filterWidth - 1];
    const paddings = [
      [0, 0],
      [height - top, height - bottom],
      [width - left, width - right],
      [0, 0],
    ];
    const padded = scope.run('PadV2', { x: dy }, { paddings, constantValue: 0 });
    const convolution = { strides: [1, 1], pad: 'valid', dataFormat: 'NHWC', dilations: [1, 1] };
    const result = scope.runKept('Conv2D', { x: padded, filter: swapped }, convolution);
    scope.finish();
    return result;
  });
}
