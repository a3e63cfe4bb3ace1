import { readFile } from 'node:fs/promises';
import { toKinscanError } from '../core/errors.js';
import { decodeImage } from '../imaging/decode-image.js';
import { resizeToSquare } from '../imaging/resize.js';
import type { LabelledFile } from './labelled-folder.js';

/** Files read and decoded at once; sharp decodes on libuv's threads. */
const DECODES_AT_ONCE = 8;
/** Images handed on together: at 64x64 about 4 MB. */
const BATCH_IMAGES = 256;

export interface ImageBatch {
  /** Numbers of the images in the list of files. */
  readonly rows: readonly number[];
  /** shape [rows.length, size, size], 0 to 1 */
  readonly pixels: Float32Array;
}

/** An image that could not be used. */
export interface SkippedFile {
  readonly imageId: string;
  readonly code: string;
}

/**
 * Decodes files to squares of `size` pixels, a batch at a time, in the order of the list. What cannot be read or
 * decoded is passed to `onSkip` and left out. Of a file with several frames the first is taken.
 */
export async function* readImageBatches(
  files: readonly LabelledFile[],
  size: number,
  onSkip: (skipped: SkippedFile) => void,
): AsyncGenerator<ImageBatch> {
  for (let start = 0; start < files.length; start += BATCH_IMAGES) {
    const batch = files.slice(start, start + BATCH_IMAGES);
    const decoded = await mapBounded(batch, DECODES_AT_ONCE, (file) => readSquare(file, size, onSkip));
    const rows: number[] = [];
    const pixels = new Float32Array(decoded.filter((image) => image !== undefined).length * size * size);
    decoded.forEach((image, i) => {
      if (image === undefined) return;
      pixels.set(image, rows.length * size * size);
      rows.push(start + i);
    });
    yield { rows, pixels };
  }
}

async function readSquare(
  file: LabelledFile,
  size: number,
  onSkip: (skipped: SkippedFile) => void,
): Promise<Float32Array | undefined> {
  try {
    const { frame } = await decodeImage(await readFile(file.path));
    return resizeToSquare(frame, size);
  } catch (error) {
    onSkip({ imageId: file.imageId, code: toKinscanError(error).code });
    return undefined;
  }
}

/** Maps with at most `limit` calls under way; results keep the order of the items. */
async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      results[at] = await map(items[at] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
