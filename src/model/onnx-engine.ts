import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { assert, KinscanError } from '../core/errors.js';
import { ONNX_FILE, type Model } from './artefact.js';
import type { Encoding, EncodingEngine } from './encoding-engine.js';
import { ONNX_INPUT } from './onnx-writer.js';

/** Opens the ONNX file of a model on the CPU. The only file that imports onnxruntime. */
export async function openOnnxEngine(model: Model, threads: number): Promise<EncodingEngine> {
  const file = path.join(model.folder, ONNX_FILE);
  try {
    const session = await InferenceSession.create(file, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
    return new OnnxEngine(model, session);
  } catch (error) {
    throw new KinscanError('INVALID_MODEL', `model ${model.folder}: onnxruntime refuses ${ONNX_FILE}`, {
      cause: error,
    });
  }
}

class OnnxEngine implements EncodingEngine {
  readonly modelVersion: string;
  readonly codeBits: number;
  readonly inputSize: number;
  readonly fineCodeBits: number;
  readonly backend = 'onnx';
  readonly #session: InferenceSession;

  constructor(model: Model, session: InferenceSession) {
    this.modelVersion = model.modelVersion;
    this.codeBits = model.network.codeBits;
    this.inputSize = model.network.inputSize;
    this.fineCodeBits = model.network.fineCodeBits;
    this.#session = session;
  }

  async encode(pixels: Float32Array, count: number): Promise<Float32Array> {
    const results = await this.#run(pixels, count, ['embedding']);
    return results['embedding'] as Float32Array;
  }

  async encodeFine(pixels: Float32Array, count: number): Promise<Encoding> {
    if (this.fineCodeBits === 0)
      return { embeddings: await this.encode(pixels, count), fineEmbeddings: new Float32Array(0) };
    const results = await this.#run(pixels, count, ['embedding', 'fineEmbedding']);
    return {
      embeddings: results['embedding'] as Float32Array,
      fineEmbeddings: results['fineEmbedding'] as Float32Array,
    };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  async #run(pixels: Float32Array, count: number, outputs: string[]): Promise<Record<string, Float32Array>> {
    assert(pixels.length === count * this.inputSize ** 2, 'pixels have shape [count, inputSize, inputSize]');
    const input = new Tensor('float32', pixels, [count, this.inputSize, this.inputSize]);
    const results = await this.#session.run({ [ONNX_INPUT]: input }, outputs);
    return Object.fromEntries(outputs.map((name) => [name, (results[name] as Tensor).data as Float32Array]));
  }
}
