import { assert } from '../../core/errors.js';
import { tf } from '../tf.js';
import { KernelScope, replaceWasmKernel } from './wasm-kernel.js';

interface Attributes {
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number;
  readonly dataFormat: 'NHWC' | 'NCHW';
  readonly filterShape: [number, number, number, number];
}

/**
 * Gradient of a stride-1 convolution by its filter, which the wasm backend lacks. The gradient is itself a convolution
 * with the batch as channels:
 *
 *   x  [n, h, w, in]   padded, as images  [in, h', w', n]
 *   dy [n, h, w, out]         as filter   [h, w, n, out]
 *   images ∗ filter ('valid')           = [in, fh, fw, out]  →  [fh, fw, in, out]
 */
export function registerConv2dBackpropFilter(): void {
  replaceWasmKernel('Conv2DBackpropFilter', ({ inputs, backend, attrs }) => {
    const { strides, pad, dataFormat, filterShape } = attrs as unknown as Attributes;
    const x = inputs['x'] as tf.TensorInfo;
    const dy = inputs['dy'] as tf.TensorInfo;
    assert(dataFormat === 'NHWC', 'channels come last');
    const shape = x.shape as [number, number, number, number];
    const info = tf.backend_util.computeConv2DInfo(shape, filterShape, strides, 1, pad);
    assert(info.strideHeight === 1 && info.strideWidth === 1, 'our filter gradient is for stride 1');
    const scope = new KernelScope(backend);
    const { top, bottom, left, right } = info.padInfo;
    const paddings = [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ];
    const padded = scope.run('PadV2', { x }, { paddings, constantValue: 0 });
    const images = scope.run('Transpose', { x: padded }, { perm: [3, 1, 2, 0] });
    const filter = scope.run('Transpose', { x: dy }, { perm: [1, 2, 0, 3] });
    const convolution = { strides: [1, 1], pad: 'valid', dataFormat: 'NHWC', dilations: [1, 1] };
    const gradient = scope.run('Conv2D', { x: images, filter }, convolution);
    const result = scope.runKept('Transpose', { x: gradient }, { perm: [1, 2, 0, 3] });
    scope.finish();
    return result;
  });
}
