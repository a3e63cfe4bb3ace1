import type { tf } from '../tf.js';
import { replaceWasmKernel, runWasmKernel, wasmKernel, type WasmBackend } from './wasm-kernel.js';

/**
 * Sum over all axes but the last, which is what the gradient of a bias is: one pass in plain code, in double precision.
 * The wasm backend transposes first and takes six times as long. Every other sum goes to its own kernel.
 */
export function registerSum(): void {
  const original = wasmKernel('Sum');
  replaceWasmKernel(
    'Sum',
    ({ inputs, backend, attrs }) => {
      const x = inputs['x'] as tf.TensorInfo;
      const { axis, keepDims } = attrs as { axis: number | number[] | null; keepDims: boolean };
      const axes = axis === null ? [...x.shape.keys()] : [axis].flat();
      const rank = x.shape.length;
      const leading = rank > 1 && axes.length === rank - 1 && axes.every((one) => one < rank - 1 && one >= 0);
      if (!leading || keepDims || x.dtype !== 'float32')
        return runWasmKernel(original.kernelFunc, backend, { x }, attrs as object);
      const wasm = backend as WasmBackend;
      const columns = x.shape[rank - 1] as number;
      const sums = wasm.makeOutput([columns], 'float32');
      wasm.typedArrayFromHeap(sums).set(columnSums(wasm.typedArrayFromHeap(x), columns));
      return sums;
    },
    original.setupFunc,
  );
}

function columnSums(values: Float32Array, columns: number): Float64Array {
  const sums = new Float64Array(columns);
  for (let row = 0; row < values.length; row += columns) {
    for (let column = 0; column < columns; column++) {
      sums[column] = (sums[column] as number) + (values[row + column] as number);
    }
  }
  return sums;
}
