import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { KinscanError } from '../core/errors.js';
import type { LabelledImages } from './training-set.js';

/** Decodes and resizes one image file: shape [inputSize, inputSize], gray 0 to 1. Throws KinscanError. */
export type PixelReader = (bytes: Uint8Array, inputSize: number) => Promise<Float32Array>;

export interface LoadedClassFolders {
  readonly images: LabelledImages;
  /** Files left out because they could not be decoded: how many, by error code. */
  readonly skippedByCode: ReadonlyMap<string, number>;
}

interface ImageFile {
  readonly file: string;
  readonly label: number;
}

const CONCURRENCY = 8;
export const TRAINING_IMAGES_MAX = 2_000_000;
const CLASSES_MAX = 65_535;

/**
 * Reads `<folder>/<class>/<image>` (links are followed, hidden files left out, one level of classes) into memory.
 * Files that cannot be decoded are left out and counted; everything else that is wrong is thrown.
 * @param onProgress called with files done and files in all
 * @throws KinscanError INVALID_TRAINING_DATA where there are fewer than two classes, or a class without an image
 */
export async function loadClassFolders(
  folder: string,
  inputSize: number,
  readPixels: PixelReader,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<LoadedClassFolders> {
  const { classNames, files } = await listClassFolders(folder);
  const pixelsPerImage = inputSize ** 2;
  const pixels = new Uint8Array(files.length * pixelsPerImage);
  const decoded = new Uint8Array(files.length);
  const skippedByCode = new Map<string, number>();
  let [next, done] = [0, 0];
  const worker = async (): Promise<void> => {
    while (next < files.length) {
      const at = next++;
      const { file } = files[at] as ImageFile;
      try {
        const gray = await readPixels(await readFile(file), inputSize);
        for (let i = 0; i < pixelsPerImage; i++)
          pixels[at * pixelsPerImage + i] = Math.round((gray[i] as number) * 255);
        decoded[at] = 1;
      } catch (error) {
        if (!(error instanceof KinscanError)) throw error;
        skippedByCode.set(error.code, (skippedByCode.get(error.code) ?? 0) + 1);
      }
      onProgress(++done, files.length);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  const images = keepDecoded(
    { inputSize, classNames, labels: Uint16Array.from(files, ({ label }) => label), pixels },
    decoded,
  );
  classNames.forEach((name, label) => {
    if (!images.labels.includes(label)) throw invalidData(`no image of class '${name}' can be read`);
  });
  return { images, skippedByCode };
}

async function listClassFolders(folder: string): Promise<{ classNames: string[]; files: ImageFile[] }> {
  const classNames = (await visibleNames(folder, 'directory')).sort();
  if (classNames.length < 2) {
    throw invalidData(
      `${folder} holds ${classNames.length} class folder(s); training needs at least two, each with images`,
    );
  }
  if (classNames.length > CLASSES_MAX) throw invalidData(`more than ${CLASSES_MAX} classes`);
  const files: ImageFile[] = [];
  for (const [label, name] of classNames.entries()) {
    const images = (await visibleNames(path.join(folder, name), 'file')).sort();
    if (images.length === 0) throw invalidData(`class folder '${name}' is empty`);
    for (const image of images) files.push({ file: path.join(folder, name, image), label });
  }
  if (files.length > TRAINING_IMAGES_MAX) throw invalidData(`more than ${TRAINING_IMAGES_MAX} images`);
  return { classNames, files };
}

/** Names in a folder that are of the wanted type, links followed. */
async function visibleNames(folder: string, type: 'directory' | 'file'): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new KinscanError('INVALID_TRAINING_DATA', `the folder ${folder} cannot be read`, { cause: error });
  });
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const target = entry.isSymbolicLink()
      ? await stat(path.join(folder, entry.name)).catch(() => undefined)
      : entry;
    if (type === 'directory' ? target?.isDirectory() === true : target?.isFile() === true)
      names.push(entry.name);
  }
  return names;
}

function keepDecoded(images: LabelledImages, decoded: Uint8Array): LabelledImages {
  const pixelsPerImage = images.inputSize ** 2;
  let kept = 0;
  decoded.forEach((isDecoded, at) => {
    if (isDecoded === 0) return;
    images.pixels.copyWithin(kept * pixelsPerImage, at * pixelsPerImage, (at + 1) * pixelsPerImage);
    images.labels[kept++] = images.labels[at] as number;
  });
  return {
    ...images,
    labels: images.labels.slice(0, kept),
    pixels: images.pixels.subarray(0, kept * pixelsPerImage),
  };
}

function invalidData(message: string): KinscanError {
  return new KinscanError('INVALID_TRAINING_DATA', message);
}
