import { openEncodingEngine, type Encoding, type EncodingEngine } from '../model/encoding-engine.js';
import { KinscanError } from '../core/errors.js';
import type { ErrorCode } from '../core/errors.js';
import { workerPoolData } from '../runtime/worker-pool.js';

/** What an inference thread is started with. */
export interface InferenceSettings {
  readonly modelFolder: string;
  readonly engine: 'auto' | 'onnx' | 'tfjs';
}

/** What the engine that runs is. */
export interface EngineDescription {
  readonly modelVersion: string;
  readonly codeBits: number;
  readonly fineCodeBits: number;
  readonly inputSize: number;
  /** 'onnx', or the tfjs backend. */
  readonly backend: string;
}

export type InferenceTask =
  | { readonly kind: 'open' }
  | {
      readonly kind: 'encode';
      /** Shape [count, inputSize, inputSize], 0 to 1. */
      readonly pixels: Float32Array;
      readonly count: number;
    };

export type InferenceResult =
  | { readonly kind: 'open'; readonly engine: EngineDescription }
  | { readonly kind: 'encode'; readonly encoding: Encoding }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

let engine: Promise<EncodingEngine> | undefined;

/** One inference thread: an engine blocks the thread that it runs on, so it never runs on the main one. */
export default async function runInference(task: InferenceTask): Promise<InferenceResult> {
  try {
    engine ??= openWarm(workerPoolData() as InferenceSettings);
    const opened = await engine;
    if (task.kind === 'open') {
      const { modelVersion, codeBits, fineCodeBits, inputSize, backend } = opened;
      return { kind: 'open', engine: { modelVersion, codeBits, fineCodeBits, inputSize, backend } };
    }
    return { kind: 'encode', encoding: await opened.encodeFine(task.pixels, task.count) };
  } catch (error) {
    if (!(error instanceof KinscanError)) throw error;
    return { kind: 'failed', code: error.code, message: error.message };
  }
}

/** The first run allocates and compiles: better now than under the first query. */
async function openWarm(settings: InferenceSettings): Promise<EncodingEngine> {
  const opened = await openEncodingEngine(settings.modelFolder, { engine: settings.engine, threads: 1 });
  await opened.encodeFine(new Float32Array(opened.inputSize ** 2), 1);
  return opened;
}
