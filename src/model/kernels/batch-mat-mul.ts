import type { tf } from '../tf.js';
import { KernelScope, replaceWasmKernel, runWasmKernel, wasmKernel } from './wasm-kernel.js';

/**
 * BatchMatMul of the wasm backend is fast only for plain arguments (XNNPACK); with a transposed argument it runs a naive
 * loop, 12 times slower. Ours transposes first. Registered once, before the backend starts.
 */
export function registerBatchMatMul(): void {
  const original = wasmKernel('BatchMatMul');
  replaceWasmKernel(
    'BatchMatMul',
    ({ inputs, backend, attrs }) => {
      const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
      const scope = new KernelScope(backend);
      const a = transposeA ? transposed(scope, inputs['a'] as tf.TensorInfo) : (inputs['a'] as tf.TensorInfo);
      const b = transposeB ? transposed(scope, inputs['b'] as tf.TensorInfo) : (inputs['b'] as tf.TensorInfo);
      const product = runWasmKernel(
        original.kernelFunc,
        backend,
        { a, b },
        { transposeA: false, transposeB: false },
      );
      scope.finish();
      return product;
    },
    original.setupFunc,
  );
}

function transposed(scope: KernelScope, matrix: tf.TensorInfo): tf.TensorInfo {
  const rank = matrix.shape.length;
  const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  return scope.run('Transpose', { x: matrix }, { perm });
}
