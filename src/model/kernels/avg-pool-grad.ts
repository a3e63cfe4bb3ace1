import { tf } from '../tf.js';
import { replaceWasmKernel, type WasmBackend } from './wasm-kernel.js';

interface Attributes {
  readonly filterSize: [number, number] | number;
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number;
}

/**
 * Gradient of average pooling, in plain code on the backend's memory. tfjs 4.22 has it wrong for 'same' padding, on the
 * wasm and on the cpu backend: going forward it divides by the pixels inside the image, going back by the whole window,
 * so gradients through windows at the border come out too small (finite differences show it).
 */
export function registerAvgPoolGrad(): void {
  replaceWasmKernel('AvgPoolGrad', ({ inputs, backend, attrs }) => {
    const { filterSize, strides, pad } = attrs as unknown as Attributes;
    const dy = inputs['dy'] as tf.TensorInfo;
    const shape = (inputs['input'] as tf.TensorInfo).shape as [number, number, number, number];
    const info = tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad);
    const wasm = backend as WasmBackend;
    const dx = wasm.makeOutput(shape, 'float32');
    spreadOverWindows(info, wasm.typedArrayFromHeap(dy), wasm.typedArrayFromHeap(dx));
    return dx;
  });
}

/** All tensors are [n, rows, columns, channels]. */
function spreadOverWindows(info: tf.backend_util.Conv2DInfo, dy: Float32Array, dx: Float32Array): void {
  const { batchSize, inHeight, inWidth, inChannels: channels, outHeight, outWidth, padInfo } = info;
  dx.fill(0);
  let from = 0;
  for (let image = 0; image < batchSize; image++) {
    for (let outRow = 0; outRow < outHeight; outRow++) {
      const top = outRow * info.strideHeight - padInfo.top;
      const [rowStart, rowEnd] = [Math.max(0, top), Math.min(inHeight, top + info.filterHeight)];
      for (let outColumn = 0; outColumn < outWidth; outColumn++, from += channels) {
        const left = outColumn * info.strideWidth - padInfo.left;
        const [columnStart, columnEnd] = [Math.max(0, left), Math.min(inWidth, left + info.filterWidth)];
        const share = 1 / ((rowEnd - rowStart) * (columnEnd - columnStart));
        for (let row = rowStart; row < rowEnd; row++) {
          const rowAt = (image * inHeight + row) * inWidth;
          for (let column = columnStart; column < columnEnd; column++) {
            const at = (rowAt + column) * channels;
            for (let channel = 0; channel < channels; channel++) {
              dx[at + channel] = (dx[at + channel] as number) + share * (dy[from + channel] as number);
            }
          }
        }
      }
    }
  }
}
