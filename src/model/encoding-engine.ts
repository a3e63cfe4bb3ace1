import { loadModel, type Model } from './artefact.js';

/** Turns pixels into embeddings with one model. Implementations run one batch at a time. */
export interface EncodingEngine {
  readonly modelVersion: string;
  readonly codeBits: number;
  /** Side of the square input, in pixels. */
  readonly inputSize: number;
  /** Length of the fine code in bits; 0 where the model has none. */
  readonly fineCodeBits: number;
  /** 'onnx', or the tfjs backend that runs. */
  readonly backend: string;
  /**
   * @param pixels shape [count, inputSize, inputSize], gray 0 to 1, before standardisation
   * @param count images in `pixels`, at least 1
   * @returns embeddings, shape [count, codeBits]
   */
  encode(pixels: Float32Array, count: number): Promise<Float32Array>;
  /** As encode, with the real values whose signs are the fine code: shape [count, fineCodeBits]. */
  encodeFine(pixels: Float32Array, count: number): Promise<Encoding>;
  close(): Promise<void>;
}

export interface Encoding {
  readonly embeddings: Float32Array;
  readonly fineEmbeddings: Float32Array;
}

export interface EncodingEngineOptions {
  /** 'auto' is tfjs where a GPU backend loads, else onnx. @default 'auto' */
  readonly engine?: 'onnx' | 'tfjs' | 'auto';
  /** Threads for one batch (onnx only). @default 1 */
  readonly threads?: number;
  /** Told in a line what was chosen and why. */
  readonly log?: (line: string) => void;
}

/**
 * Loads a model folder and opens an engine on it. Each engine's package is loaded only when it is used.
 * Encoding may block the calling thread: servers open their engines in worker threads.
 * @throws KinscanError INVALID_MODEL
 */
export async function openEncodingEngine(
  folder: string,
  options: EncodingEngineOptions = {},
): Promise<EncodingEngine> {
  const model = await loadModel(folder);
  const { engine = 'auto', threads = 1, log = () => undefined } = options;
  if (engine === 'tfjs' || (engine === 'auto' && (await gpuIsThere()))) return openTfjs(model, log);
  const { openOnnxEngine } = await import('./onnx-engine.js');
  return openOnnxEngine(model, threads);
}

async function openTfjs(model: Model, log: (line: string) => void): Promise<EncodingEngine> {
  const { openTfjsEngine } = await import('./tfjs-engine.js');
  return openTfjsEngine(model, log);
}

async function gpuIsThere(): Promise<boolean> {
  const { gpuPackageLoads } = await import('./gpu-package.js');
  return gpuPackageLoads(() => undefined);
}
