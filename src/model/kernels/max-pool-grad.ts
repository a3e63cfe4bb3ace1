import { tf } from '../tf.js';
import { replaceWasmKernel, type WasmBackend } from './wasm-kernel.js';

interface Attributes {
  readonly filterSize: [number, number] | number;
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number;
}

/**
 * Gradient of max pooling, in plain code on the backend's memory: each dy goes to the first greatest pixel of its window.
 * The wasm backend's own kernel visits every window of every pixel and takes five times as long.
 */
export function registerMaxPoolGrad(): void {
  replaceWasmKernel('MaxPoolGrad', ({ inputs, backend, attrs }) => {
    const { filterSize, strides, pad } = attrs as unknown as Attributes;
    const input = inputs['input'] as tf.TensorInfo;
    const dy = inputs['dy'] as tf.TensorInfo;
    const shape = input.shape as [number, number, number, number];
    const info = tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad);
    const wasm = backend as WasmBackend;
    const dx = wasm.makeOutput(input.shape, 'float32');
    // Views are taken after the last allocation: growing the memory detaches older ones.
    scatterToMaxima(
      info,
      wasm.typedArrayFromHeap(input),
      wasm.typedArrayFromHeap(dy),
      wasm.typedArrayFromHeap(dx),
    );
    return dx;
  });
}

/** All tensors are [n, rows, columns, channels]. */
function scatterToMaxima(
  info: tf.backend_util.Conv2DInfo,
  x: Float32Array,
  dy: Float32Array,
  dx: Float32Array,
): void {
  const { batchSize, inHeight, inWidth, inChannels: channels, outHeight, outWidth, padInfo } = info;
  dx.fill(0);
  let from = 0;
  for (let image = 0; image < batchSize; image++) {
    for (let outRow = 0; outRow < outHeight; outRow++) {
      const top = outRow * info.strideHeight - padInfo.top;
      const [rowStart, rowEnd] = [Math.max(0, top), Math.min(inHeight, top + info.filterHeight)];
      for (let outColumn = 0; outColumn < outWidth; outColumn++) {
        const left = outColumn * info.strideWidth - padInfo.left;
        const [columnStart, columnEnd] = [Math.max(0, left), Math.min(inWidth, left + info.filterWidth)];
        for (let channel = 0; channel < channels; channel++, from++) {
          let greatest = -Infinity;
          let greatestAt = 0;
          for (let row = rowStart; row < rowEnd; row++) {
            let at = ((image * inHeight + row) * inWidth + columnStart) * channels + channel;
            for (let column = columnStart; column < columnEnd; column++, at += channels) {
              const value = x[at] as number;
              if (value > greatest) {
                greatest = value;
                greatestAt = at;
              }
            }
          }
          dx[greatestAt] = (dx[greatestAt] as number) + (dy[from] as number);
        }
      }
    }
  }
}
