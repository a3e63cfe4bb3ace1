import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KinscanError } from '../../core/errors.js';
import { resizeToSquare } from '../../imaging/resize.js';
import { canonicalTieOrder } from '../exact-ranking.js';
import { GIST_DIMENSIONS, GIST_IMAGE_SIZE, GistDescriber } from '../gist-descriptor.js';
import { readImageBatches, type SkippedFile } from '../image-batches.js';
import { findDataFolders, type LabelledFile } from '../labelled-folder.js';
import { sampleRows, splitQueries } from '../query-split.js';
import type { ImageSet } from '../rivals/rival.js';

export interface ExperimentDataOptions {
  readonly dataFolder: string;
  readonly galleryFolder?: string;
  /** Where descriptors are kept between runs. */
  readonly cacheFolder: string;
  /** Gallery and queries together, drawn at random; everything by default. */
  readonly databaseSize?: number;
  readonly queryCount: number;
  readonly seed: number;
  /** Side of the images that networks see, in pixels. */
  readonly inputSize: number;
  readonly withDescriptors: boolean;
  readonly now: () => number;
  readonly onProgress?: (stage: string, done: number, total: number) => void;
  readonly onSkip?: (skipped: SkippedFile) => void;
}

/** Images of an experiment, in canonical tie order. */
export interface ExperimentSet {
  readonly set: ImageSet;
  readonly imageIds: readonly string[];
  readonly labels: Int32Array;
}

export interface ExperimentData {
  readonly classes: readonly string[];
  readonly gallery: ExperimentSet;
  readonly queries: ExperimentSet;
  readonly inputSize: number;
  /** SHA-256 over the images as networks see them and their classes: results of other data are not reused. */
  readonly fingerprint: string;
  /** Time to describe one image by GIST. */
  readonly gistMillis: number;
}

/**
 * Reads gallery and queries, decodes them once and describes them by GIST where a method needs it. The gallery is the
 * training set too, as in the paper.
 * @throws KinscanError INVALID_ARGUMENT where too few images can be read
 */
export async function loadExperimentData(options: ExperimentDataOptions): Promise<ExperimentData> {
  const folders = await findDataFolders(options.dataFolder, options.galleryFolder);
  const { databaseSize = Infinity, queryCount, seed } = options;
  if (folders.kind === 'one') {
    const { folder } = folders;
    const drawn = sampleRows(folder.files.length, databaseSize, seed).map(
      (row) => folder.files[row] as LabelledFile,
    );
    const all = await readSet(drawn, folder.classes, options);
    const split = splitQueries(all.imageIds.length, queryCount, seed);
    return assemble(folder.classes, pick(all, split.gallery), pick(all, split.queries), options);
  }
  const draw = (files: readonly LabelledFile[], wanted: number) =>
    sampleRows(files.length, wanted, seed).map((row) => files[row] as LabelledFile);
  const { classes } = folders.gallery;
  const queries = await readSet(draw(folders.queries.files, queryCount), classes, options);
  const gallery = await readSet(
    draw(folders.gallery.files, databaseSize - queries.imageIds.length),
    classes,
    options,
  );
  return assemble(classes, gallery, queries, options);
}

interface DecodedSet extends ExperimentSet {
  /** shape [count, GIST_IMAGE_SIZE, GIST_IMAGE_SIZE], 0 to 255 */
  readonly gistPixels: Uint8Array;
}

async function readSet(
  files: readonly LabelledFile[],
  classNames: readonly string[],
  options: ExperimentDataOptions,
): Promise<DecodedSet> {
  const { inputSize } = options;
  const decodedSize = Math.max(GIST_IMAGE_SIZE, inputSize);
  const ordered = canonicalTieOrder(files.map(({ imageId }) => imageId)).map(
    (row) => files[row] as LabelledFile,
  );
  const pixels = new Uint8Array(ordered.length * inputSize ** 2);
  const gistPixels = new Uint8Array(options.withDescriptors ? ordered.length * GIST_IMAGE_SIZE ** 2 : 0);
  const kept: LabelledFile[] = [];
  const onSkip = options.onSkip ?? (() => undefined);
  for await (const batch of readImageBatches(ordered, decodedSize, onSkip)) {
    batch.rows.forEach((row, i) => {
      const frame = {
        width: decodedSize,
        height: decodedSize,
        pixels: batch.pixels.subarray(i * decodedSize ** 2, (i + 1) * decodedSize ** 2),
      };
      pixels.set(toBytes(resizeToSquare(frame, inputSize)), kept.length * inputSize ** 2);
      if (options.withDescriptors) {
        gistPixels.set(toBytes(resizeToSquare(frame, GIST_IMAGE_SIZE)), kept.length * GIST_IMAGE_SIZE ** 2);
      }
      kept.push(ordered[row] as LabelledFile);
    });
    options.onProgress?.('decode', kept.length, ordered.length);
  }
  if (kept.length === 0) throw new KinscanError('INVALID_ARGUMENT', 'no image could be decoded');
  const labels = Uint16Array.from(kept, ({ label }) => label);
  return {
    set: {
      images: { inputSize, classNames, labels, pixels: pixels.subarray(0, kept.length * inputSize ** 2) },
      descriptors: new Float32Array(0),
      descriptorDimensions: 0,
    },
    imageIds: kept.map(({ imageId }) => imageId),
    labels: Int32Array.from(labels),
    gistPixels: gistPixels.subarray(0, options.withDescriptors ? kept.length * GIST_IMAGE_SIZE ** 2 : 0),
  };
}

function toBytes(pixels: Float32Array): Uint8Array {
  return Uint8Array.from(pixels, (value) => Math.round(value * 255));
}

/** Some rows of a set, in their order. */
export function pickImages(set: ImageSet, rows: readonly number[]): ImageSet {
  const { images, descriptors, descriptorDimensions } = set;
  const pixelsPerImage = images.inputSize ** 2;
  return {
    images: {
      ...images,
      labels: Uint16Array.from(rows, (row) => images.labels[row] as number),
      pixels: pickRows(images.pixels, pixelsPerImage, rows, new Uint8Array(rows.length * pixelsPerImage)),
    },
    descriptors: pickRows(
      descriptors,
      descriptorDimensions,
      rows,
      new Float32Array(rows.length * descriptorDimensions),
    ),
    descriptorDimensions,
  };
}

function pick(decoded: DecodedSet, rows: readonly number[]): DecodedSet {
  const size = decoded.gistPixels.length / decoded.imageIds.length;
  return {
    set: pickImages(decoded.set, rows),
    imageIds: rows.map((row) => decoded.imageIds[row] as string),
    labels: Int32Array.from(rows, (row) => decoded.labels[row] as number),
    gistPixels: pickRows(decoded.gistPixels, size, rows, new Uint8Array(rows.length * size)),
  };
}

function pickRows<T extends Uint8Array | Float32Array>(
  from: T,
  width: number,
  rows: readonly number[],
  to: T,
): T {
  rows.forEach((row, i) => to.set(from.subarray(row * width, (row + 1) * width), i * width));
  return to;
}

async function assemble(
  classes: readonly string[],
  gallery: DecodedSet,
  queries: DecodedSet,
  options: ExperimentDataOptions,
): Promise<ExperimentData> {
  const fingerprint = fingerprintOf(gallery, queries);
  const describe = (decoded: DecodedSet, part: string) =>
    describeSet(decoded, `gist-${part}-${fingerprint}.f32`, options);
  const describedGallery = await describe(gallery, 'gallery');
  const describedQueries = await describe(queries, 'queries');
  return {
    classes,
    gallery: describedGallery,
    queries: describedQueries,
    inputSize: options.inputSize,
    fingerprint,
    gistMillis: options.withDescriptors ? measureGist(queries, options.now) : 0,
  };
}

function fingerprintOf(...sets: readonly DecodedSet[]): string {
  const hash = createHash('sha256');
  for (const { set, imageIds } of sets) {
    hash.update(JSON.stringify(imageIds)).update(set.images.pixels);
    hash.update(
      Buffer.from(set.images.labels.buffer, set.images.labels.byteOffset, set.images.labels.byteLength),
    );
  }
  return hash.digest('hex').slice(0, 32);
}

/** Descriptors from the cache where they are, else computed and kept. */
async function describeSet(
  decoded: DecodedSet,
  file: string,
  options: ExperimentDataOptions,
): Promise<ExperimentSet> {
  const { set, imageIds, labels } = decoded;
  if (!options.withDescriptors) return { set, imageIds, labels };
  const path = join(options.cacheFolder, file);
  const cached = await readFile(path).catch(() => undefined);
  const bytes = imageIds.length * GIST_DIMENSIONS * 4;
  let descriptors: Float32Array;
  if (cached?.length === bytes) {
    descriptors = new Float32Array(Uint8Array.from(cached).buffer);
  } else {
    descriptors = await describeAll(decoded, options);
    await mkdir(options.cacheFolder, { recursive: true });
    await writeFile(`${path}.part`, Buffer.from(descriptors.buffer));
    await rename(`${path}.part`, path);
  }
  return { set: { ...set, descriptors, descriptorDimensions: GIST_DIMENSIONS }, imageIds, labels };
}

async function describeAll(
  { gistPixels, imageIds }: DecodedSet,
  options: ExperimentDataOptions,
): Promise<Float32Array> {
  const describer = new GistDescriber();
  const descriptors = new Float32Array(imageIds.length * GIST_DIMENSIONS);
  for (let row = 0; row < imageIds.length; row++) {
    describeRow(
      describer,
      gistPixels,
      row,
      descriptors.subarray(row * GIST_DIMENSIONS, (row + 1) * GIST_DIMENSIONS),
    );
    if (row % 50 === 0) {
      options.onProgress?.('describe', row, imageIds.length);
      // Lets the progress bar and signals in between.
      await new Promise(setImmediate);
    }
  }
  return descriptors;
}

function describeRow(
  describer: GistDescriber,
  gistPixels: Uint8Array,
  row: number,
  descriptor: Float32Array,
): void {
  const size = GIST_IMAGE_SIZE ** 2;
  const pixels = Float32Array.from(gistPixels.subarray(row * size, (row + 1) * size), (level) => level / 255);
  describer.describe(pixels, descriptor);
}

function measureGist({ gistPixels, imageIds }: DecodedSet, now: () => number): number {
  const describer = new GistDescriber();
  const descriptor = new Float32Array(GIST_DIMENSIONS);
  const rows = Math.min(20, imageIds.length);
  const started = now();
  for (let row = 0; row < rows; row++) describeRow(describer, gistPixels, row, descriptor);
  return (now() - started) / rows;
}
