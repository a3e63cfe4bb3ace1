import { availableParallelism } from 'node:os';
import { assert, KinscanError } from '../core/errors.js';
import type { Logger } from '../runtime/log.js';
import { WorkerPool } from '../runtime/worker-pool.js';
import type { EncoderMetrics } from './encoder-metrics.js';
import type {
  EngineDescription,
  InferenceResult,
  InferenceSettings,
  InferenceTask,
} from './inference-worker.js';
import { LaneBatcher, type Lane } from './lane-batcher.js';
import { isolateCrashes } from './thread-crash.js';

const INFERENCE_THREADS_MAX = 8;

/** The network's answer for one image. */
export interface ImageEncoding {
  /** Shape [codeBits], before the sign. */
  readonly embedding: Float32Array;
  /** Shape [fineCodeBits], before the sign; empty where the model makes no fine codes. */
  readonly fineEmbedding: Float32Array;
}

export interface InferenceOptions {
  readonly settings: InferenceSettings;
  /** 0: by the machine. */
  readonly threads: number;
  readonly batchImagesMax: number;
  readonly batchWaitMaxMs: number;
  readonly queueLengthMax: number;
  readonly metrics: EncoderMetrics;
  readonly log: Logger;
}

/** Runs the network in worker threads, in batches; queries first. */
export class Inference {
  readonly engine: EngineDescription;
  readonly #pool: WorkerPool<InferenceTask, InferenceResult>;
  readonly #batcher: LaneBatcher<Float32Array, ImageEncoding>;
  readonly #options: InferenceOptions;

  private constructor(options: InferenceOptions, opened: OpenedPool) {
    this.#options = options;
    this.#pool = opened.pool;
    this.engine = opened.engine;
    this.#batcher = new LaneBatcher({
      run: (images) =>
        isolateCrashes(
          images,
          (some) => this.#runBatch(some),
          (error) => this.#noteCrash(error),
        ),
      concurrency: opened.pool.threads,
      batchLengthMax: options.batchImagesMax,
      waitMaxMs: options.batchWaitMaxMs,
      queueLengthMax: options.queueLengthMax,
    });
  }

  /** Opens the engine in every thread and warms it up. @throws KinscanError INVALID_MODEL */
  static async open(options: InferenceOptions): Promise<Inference> {
    const first = await openPool(options.settings, options.threads || 1);
    const threads = options.threads || threadsFor(first.engine.backend);
    if (threads === first.pool.threads) return new Inference(options, first);
    await first.pool.close();
    return new Inference(options, await openPool(options.settings, threads));
  }

  get threads(): number {
    return this.#pool.threads;
  }

  get waitingCount(): number {
    return this.#batcher.waitingCount;
  }

  /**
   * @param pixels shape [inputSize, inputSize], 0 to 1
   * @throws KinscanError OVERLOADED; INTERNAL where the image kills threads
   */
  encode(pixels: Float32Array, lane: Lane, signal?: AbortSignal): Promise<ImageEncoding> {
    return this.#batcher.submit(pixels, lane, signal);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #runBatch(images: readonly Float32Array[]): Promise<ImageEncoding[]> {
    const { metrics } = this.#options;
    const { inputSize, codeBits, fineCodeBits } = this.engine;
    const endTimer = metrics.inferSeconds.startTimer();
    const pixels = new Float32Array(images.length * inputSize ** 2);
    images.forEach((image, index) => pixels.set(image, index * inputSize ** 2));
    const result = await this.#pool.run(
      { kind: 'encode', pixels, count: images.length },
      { transfer: [pixels.buffer] },
    );
    throwFailure(result);
    assert(result.kind === 'encode', 'an engine answers a batch with encodings');
    endTimer();
    metrics.batchImages.observe(images.length);
    const { embeddings, fineEmbeddings } = result.encoding;
    return images.map((_, index) => ({
      embedding: embeddings.subarray(index * codeBits, (index + 1) * codeBits),
      fineEmbedding: fineEmbeddings.subarray(index * fineCodeBits, (index + 1) * fineCodeBits),
    }));
  }

  #noteCrash(error: unknown): void {
    this.#options.metrics.threadCrashes.inc({ thread: 'inference' });
    this.#options.log.error({ err: error }, 'an inference thread died');
  }
}

interface OpenedPool {
  readonly pool: WorkerPool<InferenceTask, InferenceResult>;
  readonly engine: EngineDescription;
}

async function openPool(settings: InferenceSettings, threads: number): Promise<OpenedPool> {
  const pool = new WorkerPool<InferenceTask, InferenceResult>({
    file: new URL('./inference-worker.js', import.meta.url),
    threads,
    queueLengthMax: threads,
    workerData: settings,
  });
  try {
    // as many at once as there are threads, and none is done before its engine is open: each thread gets one
    const opened = await Promise.all(Array.from({ length: threads }, () => pool.run({ kind: 'open' })));
    const [engine] = opened.map((result) => {
      throwFailure(result);
      assert(result.kind === 'open', 'an engine answers what it is');
      return result.engine;
    });
    return { pool, engine: engine as EngineDescription };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/** Decoding takes about twice the time of the network, so a third of the cores; a GPU is one device. */
function threadsFor(backend: string): number {
  if (backend !== 'onnx') return 1;
  return Math.max(1, Math.min(INFERENCE_THREADS_MAX, Math.round(availableParallelism() / 3)));
}

function throwFailure(result: InferenceResult): void {
  if (result.kind === 'failed') throw new KinscanError(result.code, result.message);
}
