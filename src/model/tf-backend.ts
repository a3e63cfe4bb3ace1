import { createRequire } from 'node:module';
import path from 'node:path';
import { assert } from '../core/errors.js';
import { gpuPackageLoads } from './gpu-package.js';
import { registerAvgPoolGrad } from './kernels/avg-pool-grad.js';
import { registerBatchMatMul } from './kernels/batch-mat-mul.js';
import { registerConv2dBackpropFilter } from './kernels/conv2d-backprop-filter.js';
import { registerConv2dBackpropInput } from './kernels/conv2d-backprop-input.js';
import { registerMaxPoolGrad } from './kernels/max-pool-grad.js';
import { registerSum } from './kernels/sum.js';
import { setWasmPaths, tf } from './tf.js';

/** 'tensorflow' is tfjs-node-gpu; 'cpu' is tfjs in plain JavaScript, for tests only. */
export type TfBackendName = 'tensorflow' | 'wasm' | 'cpu';

const load = createRequire(import.meta.url);
let chosen: Promise<TfBackendName> | undefined;
let kernelsRegistered = false;

/**
 * Chooses the backend of this process, once: tfjs-node-gpu where it loads, else WebAssembly with our kernels.
 * @param log told in one line why there is no GPU
 */
export function chooseTfBackend(log: (line: string) => void = () => undefined): Promise<TfBackendName> {
  chosen ??= useTfBackend(gpuPackageLoads(log) ? 'tensorflow' : 'wasm');
  return chosen;
}

/** Switches to a backend. tfjs falls back to another one without a word, so the result is asserted. */
export async function useTfBackend(name: TfBackendName): Promise<TfBackendName> {
  if (name === 'wasm') {
    // A folder ends in a slash for tfjs.
    setWasmPaths(path.dirname(load.resolve('@tensorflow/tfjs-backend-wasm')) + path.sep);
    registerKernels();
  }
  const accepted = await tf.setBackend(name);
  await tf.ready();
  assert(accepted && tf.getBackend() === name, `tfjs runs on ${tf.getBackend()} instead of ${name}`);
  return name;
}

function registerKernels(): void {
  if (kernelsRegistered) return;
  kernelsRegistered = true;
  registerAvgPoolGrad();
  registerBatchMatMul();
  registerConv2dBackpropFilter();
  registerConv2dBackpropInput();
  registerMaxPoolGrad();
  registerSum();
}
