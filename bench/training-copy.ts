import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadExperimentData } from '../src/evaluation/experiments/experiment-data.js';
import { approximateCodes } from '../src/evaluation/rivals/cnn-hashing.js';

export interface TrainingCopyOptions {
  /** As of `kinscan experiment`. */
  readonly data: string;
  readonly queries: number;
  readonly database?: number;
  /** Of the split. */
  readonly seed: number;
  readonly out: string;
  /** Codes of CNNH's first stage are written for seeds 1 to this. */
  readonly seeds: number;
}

export interface TrainingCopyResult {
  readonly gallery: number;
  readonly queries: number;
  readonly classes: readonly string[];
  /** Files that could not be read as images. */
  readonly leftOut: number;
}

/** Side of the images that training-copy.py trains on, in pixels. */
const SIDE = 32;
const CODE_LENGTHS = [16, 32, 48, 64];

/**
 * Writes what bench/training-copy.py reads: the images that `kinscan experiment` would train and query with, as
 * `gallery` and `queries` `.pixels` (uint8, shape [n, 32, 32]) and `.labels` (uint16), and the codes of CNNH's first
 * stage (`cnnh.<seed>.<bits>`: one bit a value, the first in the highest bit of a byte).
 */
export async function writeTrainingCopy(options: TrainingCopyOptions): Promise<TrainingCopyResult> {
  const { data: dataFolder, out, queries: queryCount, seed, seeds, database } = options;
  const cacheFolder = await mkdtemp(path.join(tmpdir(), 'kinscan-copy-'));
  let leftOut = 0;
  try {
    const data = await loadExperimentData({
      ...{ dataFolder, cacheFolder, queryCount, seed, inputSize: SIDE, withDescriptors: false },
      ...(database === undefined ? {} : { databaseSize: database }),
      now: () => performance.now(),
      onSkip: () => leftOut++,
    });
    await mkdir(out, { recursive: true });
    for (const part of ['gallery', 'queries'] as const) {
      const { pixels, labels } = data[part].set.images;
      await writeFile(path.join(out, `${part}.pixels`), pixels);
      const bytes = Buffer.from(labels.buffer, labels.byteOffset, labels.byteLength);
      await writeFile(path.join(out, `${part}.labels`), bytes);
    }
    const { labels, classNames } = data.gallery.set.images;
    for (let one = 1; one <= seeds; one++) {
      for (const codeBits of CODE_LENGTHS) {
        const codes = packSigns(approximateCodes(labels, codeBits, one));
        await writeFile(path.join(out, `cnnh.${one}.${codeBits}`), codes);
      }
    }
    const queries = data.queries.set.images.labels.length;
    return { gallery: labels.length, queries, classes: classNames, leftOut };
  } finally {
    await rm(cacheFolder, { recursive: true, force: true });
  }
}

function packSigns(values: Float64Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, i) => {
    if (value >= 0) packed[i >> 3] = (packed[i >> 3] as number) | (0x80 >> (i & 7));
  });
  return packed;
}
