/**
 * The only file that imports TensorFlow.js. tfjs-layers is imported for what it does on loading: its Node bundle is the
 * one that registers the gradients of tfjs-core (tfjs-core's own gradient file cannot be loaded by Node).
 */
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-layers';

export * as tf from '@tensorflow/tfjs-core';
export { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
