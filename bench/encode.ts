import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { findFiles } from '../src/cli/ingest/find-files.js';
import { Decoder } from '../src/encoder/decoder.js';
import { createEncoderMetrics } from '../src/encoder/encoder-metrics.js';
import { FrameEncoder } from '../src/encoder/frame-encoder.js';
import { SuspectDecoder } from '../src/encoder/suspect-decoder.js';
import { Inference } from '../src/encoder/inference.js';
import type { IngestTask__Output } from '../src/generated/kinscan/v1/IngestTask.js';
import { DEFAULT_IMAGE_LIMITS } from '../src/imaging/image-limits.js';
import { openEncodingEngine } from '../src/model/encoding-engine.js';
import { createLog } from '../src/runtime/log.js';

export interface EncodeBenchOptions {
  /** Folder of images. */
  readonly data: string;
  /** Model folder. */
  readonly model: string;
  /** How many of the folder's images, at most. */
  readonly images: number;
  /** 0: as the encoder chooses. */
  readonly decodeThreads: number;
  /** 0: as the encoder chooses. */
  readonly inferenceThreads: number;
  readonly batchImagesMax: number;
  /** Images under way at once. */
  readonly concurrency: number;
}

export interface EncodeBenchResult {
  readonly images: number;
  readonly decodeThreads: number;
  readonly inferenceThreads: number;
  /** Files to network inputs and thumbnails, in the encoder's decode threads. */
  readonly decodeImagesPerSecond: number;
  /** Network inputs to embeddings, in the encoder's inference threads. */
  readonly inferImagesPerSecond: number;
  /** Files to finished records, all of an encoder but NATS. */
  readonly encodeImagesPerSecond: number;
  /** Processor time of it, over all threads. */
  readonly encodeCpuMsPerImage: number;
  /** The same engine called directly with the same inputs, one thread. */
  readonly engineImagesPerSecond: number;
  readonly engine: string;
  /** The same weights on tfjs's wasm backend (or its GPU one), one thread. */
  readonly tfjsImagesPerSecond: number;
  readonly tfjsBackend: string;
  /** inferImagesPerSecond / engineImagesPerSecond. */
  readonly inferToEngineRatio: number;
  /** inferImagesPerSecond / tfjsImagesPerSecond. */
  readonly inferToTfjsRatio: number;
}

/** Images that tfjs is measured with: it is many times slower. */
const TFJS_IMAGES_MAX = 512;
const QUEUE_LENGTH_MAX = 1_000_000;
const PARTITION_COUNT = 16;

/** Measures the encoder's own code, without NATS, against its engine alone and against tfjs. */
export async function runEncodeBench(options: EncodeBenchOptions): Promise<EncodeBenchResult> {
  const files = await readFiles(options.data, options.images);
  const metrics = createEncoderMetrics();
  const log = createLog('bench', 'bench', 'warn');
  const decodeThreads = options.decodeThreads || availableParallelism();
  const inference = await Inference.open({
    settings: { modelFolder: options.model, engine: 'auto' },
    threads: options.inferenceThreads,
    batchImagesMax: options.batchImagesMax,
    batchWaitMaxMs: 2,
    queueLengthMax: QUEUE_LENGTH_MAX,
    metrics,
    log,
  });
  const { inputSize, modelVersion } = inference.engine;
  const settings = {
    limits: DEFAULT_IMAGE_LIMITS,
    inputSize,
    thumbnailEdgeMaxPixels: 128,
    patientHashKey: '',
  };
  const decoder = new Decoder({
    threads: decodeThreads,
    queueLengthMax: QUEUE_LENGTH_MAX,
    settings,
    metrics,
    log,
  });
  try {
    const inputs: Float32Array[] = new Array<Float32Array>(files.length);
    const decode = async (bytes: Uint8Array, index: number) => {
      const request = { bytes, firstFrame: 0, framesMax: 1, withThumbnails: true };
      const [image] = (await decoder.decode(request, 'bulk')).images;
      inputs[index] = image?.pixels ?? new Float32Array(inputSize ** 2);
    };
    await forEach(files.slice(0, 64), options.concurrency, decode);
    const decoding = await timed(() => forEach(files, options.concurrency, decode));
    const inferring = await timed(() =>
      forEach(inputs, options.concurrency, async (pixels) => void (await inference.encode(pixels, 'bulk'))),
    );
    const frames = new FrameEncoder(decoder, new SuspectDecoder({ settings, log }), inference);
    const encoding = await timed(() =>
      forEach(files, options.concurrency, async (bytes, index) => {
        const task = { imageId: `image-${index}`, metadata: null } as IngestTask__Output;
        await frames.encodeFile(bytes, {
          task,
          revision: index + 1,
          modelVersion,
          partitionCount: PARTITION_COUNT,
        });
      }),
    );
    const engine = await timeEngine(options, 'auto', inputs);
    const tfjs = await timeEngine(options, 'tfjs', inputs.slice(0, TFJS_IMAGES_MAX));
    const inferImagesPerSecond = files.length / inferring.seconds;
    return {
      images: files.length,
      decodeThreads,
      inferenceThreads: inference.threads,
      decodeImagesPerSecond: files.length / decoding.seconds,
      inferImagesPerSecond,
      encodeImagesPerSecond: files.length / encoding.seconds,
      encodeCpuMsPerImage: encoding.cpuMs / files.length,
      engineImagesPerSecond: engine.imagesPerSecond,
      engine: engine.backend,
      tfjsImagesPerSecond: tfjs.imagesPerSecond,
      tfjsBackend: tfjs.backend,
      inferToEngineRatio: inferImagesPerSecond / engine.imagesPerSecond,
      inferToTfjsRatio: inferImagesPerSecond / tfjs.imagesPerSecond,
    };
  } finally {
    await Promise.all([decoder.close(), inference.close()]);
  }
}

async function readFiles(folder: string, count: number): Promise<Uint8Array[]> {
  const found: string[] = [];
  for await (const file of findFiles(folder)) found.push(path.resolve(file.path));
  // evenly over the folder, so that every class is there
  const step = Math.max(1, found.length / count);
  const chosen = Array.from(
    { length: Math.min(count, found.length) },
    (_, i) => found[Math.floor(i * step)] as string,
  );
  return Promise.all(chosen.map((file) => readFile(file)));
}

/** Runs `work` for every item, `concurrency` at once. */
async function forEach<Item>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < items.length; index = next++) await work(items[index] as Item, index);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

async function timed(work: () => Promise<unknown>): Promise<{ seconds: number; cpuMs: number }> {
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - startedMs) / 1_000, cpuMs: (user + system) / 1_000 };
}

async function timeEngine(
  { model, batchImagesMax }: EncodeBenchOptions,
  engine: 'auto' | 'tfjs',
  inputs: readonly Float32Array[],
): Promise<{ imagesPerSecond: number; backend: string }> {
  const opened = await openEncodingEngine(model, { engine });
  try {
    const batches: Float32Array[] = [];
    for (let start = 0; start < inputs.length; start += batchImagesMax) {
      const some = inputs.slice(start, start + batchImagesMax);
      const batch = new Float32Array(some.length * opened.inputSize ** 2);
      some.forEach((pixels, index) => batch.set(pixels, index * opened.inputSize ** 2));
      batches.push(batch);
    }
    const countOf = (batch: Float32Array) => batch.length / opened.inputSize ** 2;
    const [first] = batches;
    if (first !== undefined) await opened.encode(first, countOf(first));
    const { seconds } = await timed(async () => {
      for (const batch of batches) await opened.encode(batch, countOf(batch));
    });
    return { imagesPerSecond: inputs.length / seconds, backend: opened.backend };
  } finally {
    await opened.close();
  }
}
