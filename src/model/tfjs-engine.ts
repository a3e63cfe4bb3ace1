import { assert } from '../core/errors.js';
import type { Model } from './artefact.js';
import type { Encoding, EncodingEngine } from './encoding-engine.js';
import { forward, type ParameterTensors } from './forward.js';
import type { Network } from './network.js';
import { chooseTfBackend } from './tf-backend.js';
import { tf } from './tf.js';
import type { Standardisation } from './training-set.js';

/** Opens a model on tfjs: the GPU where there is one, else WebAssembly. */
export async function openTfjsEngine(model: Model, log: (line: string) => void): Promise<EncodingEngine> {
  const backend = await chooseTfBackend(log);
  return new TfjsEngine(model, backend);
}

class TfjsEngine implements EncodingEngine {
  readonly modelVersion: string;
  readonly codeBits: number;
  readonly inputSize: number;
  readonly fineCodeBits: number;
  readonly backend: string;
  readonly #network: Network;
  readonly #standardisation: Standardisation;
  readonly #parameters: ParameterTensors;

  constructor(model: Model, backend: string) {
    this.modelVersion = model.modelVersion;
    this.codeBits = model.network.codeBits;
    this.inputSize = model.network.inputSize;
    this.fineCodeBits = model.network.fineCodeBits;
    this.backend = backend;
    this.#network = model.network;
    this.#standardisation = model.standardisation;
    this.#parameters = new Map(
      model.network.parameters.map(({ name, shape }) => [
        name,
        tf.tensor(model.weights.get(name) as Float32Array, [...shape]),
      ]),
    );
  }

  async encode(pixels: Float32Array, count: number): Promise<Float32Array> {
    const [embeddings] = await this.#run(pixels, count, ['fc2']);
    return embeddings as Float32Array;
  }

  async encodeFine(pixels: Float32Array, count: number): Promise<Encoding> {
    const layers = this.fineCodeBits === 0 ? ['fc2'] : ['fc2', 'fine'];
    const [embeddings, fineEmbeddings] = await this.#run(pixels, count, layers);
    return { embeddings: embeddings as Float32Array, fineEmbeddings: fineEmbeddings ?? new Float32Array(0) };
  }

  close(): Promise<void> {
    tf.dispose([...this.#parameters.values()]);
    return Promise.resolve();
  }

  async #run(pixels: Float32Array, count: number, layers: string[]): Promise<Float32Array[]> {
    assert(pixels.length === count * this.inputSize ** 2, 'pixels have shape [count, inputSize, inputSize]');
    const outputs = tf.tidy(() => {
      const gray = tf.tensor4d(pixels, [count, this.inputSize, this.inputSize, 1]);
      const images = tf.div<tf.Tensor4D>(tf.sub(gray, this.#standardisation.mean), this.#standardisation.std);
      return forward(this.#network, this.#parameters, images, layers);
    });
    const values = await Promise.all(outputs.map((output) => output.data<'float32'>()));
    tf.dispose(outputs);
    // The wasm backend hands out views of its own memory.
    return values.map((value) => value.slice());
  }
}
