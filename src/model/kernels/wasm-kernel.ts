import { assert } from '../../core/errors.js';
import { tf } from '../tf.js';

/** The part of tfjs's wasm backend that our kernels need. */
export interface WasmBackend {
  disposeData(dataId: object): boolean;
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
  /** A view of the tensor's values in WebAssembly memory. */
  typedArrayFromHeap(tensor: tf.TensorInfo): Float32Array;
}

/**
 * Calls tfjs kernels from inside a kernel and frees the intermediate results. They are plain tensor records: wrapping
 * them with makeTensorFromTensorInfo would register them with the engine, which never frees them.
 */
export class KernelScope {
  readonly #backend: object;
  readonly #intermediates: tf.TensorInfo[] = [];

  constructor(backend: object) {
    this.#backend = backend;
  }

  /** Runs a kernel whose result is freed by `finish`. */
  run(kernelName: string, inputs: Record<string, tf.TensorInfo>, attrs: object): tf.TensorInfo {
    const result = this.runKept(kernelName, inputs, attrs);
    this.#intermediates.push(result);
    return result;
  }

  /** Runs a kernel whose result outlives the scope. */
  runKept(kernelName: string, inputs: Record<string, tf.TensorInfo>, attrs: object): tf.TensorInfo {
    return runWasmKernel(wasmKernel(kernelName).kernelFunc, this.#backend, inputs, attrs);
  }

  finish(): void {
    for (const tensor of this.#intermediates) (this.#backend as WasmBackend).disposeData(tensor.dataId);
  }
}

export function wasmKernel(kernelName: string): tf.KernelConfig {
  const kernel = tf.getKernel(kernelName, 'wasm');
  assert(kernel !== undefined, `the wasm backend has no kernel ${kernelName}`);
  return kernel;
}

export function runWasmKernel(
  kernel: tf.KernelFunc,
  backend: object,
  inputs: Record<string, tf.TensorInfo>,
  attrs: object,
): tf.TensorInfo {
  return kernel({ inputs, backend, attrs: attrs as tf.NamedAttrMap }) as tf.TensorInfo;
}

/**
 * Puts our kernel in the place of the wasm backend's own, if it has one. `setupFunc` is the own kernel's where ours still
 * calls it: the backend runs the set-up of registered kernels when it starts.
 */
export function replaceWasmKernel(
  kernelName: string,
  kernelFunc: tf.KernelFunc,
  setupFunc?: (backend: object) => void,
): void {
  if (tf.getKernel(kernelName, 'wasm') !== undefined) tf.unregisterKernel(kernelName, 'wasm');
  tf.registerKernel({
    kernelName,
    backendName: 'wasm',
    kernelFunc,
    ...(setupFunc === undefined ? {} : { setupFunc }),
  });
}
