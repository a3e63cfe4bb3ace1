import { readFile } from 'node:fs/promises';
import { KinscanError } from '../core/errors.js';
import { hammingDistancesTo, packEmbeddings, selectCodes, type PackedCodes } from '../core/packed-codes.js';
import { Random } from '../core/random.js';
import { decodeImage } from '../imaging/decode-image.js';
import { resizeToSquare } from '../imaging/resize.js';
import type { Encoding } from '../model/encoding-engine.js';
import { changedImage, type ImageChange } from './changed-image.js';
import { canonicalTieOrder } from './exact-ranking.js';
import { readImageBatches, type SkippedFile } from './image-batches.js';
import { summarizeInstances, type InstanceQuery, type InstanceSummary } from './instance-summary.js';
import type { LabelledFile, LabelledFolder } from './labelled-folder.js';
import { sampleRows } from './query-split.js';

/** What instance retrieval needs of a model. */
export interface FineEncoder {
  readonly codeBits: number;
  /** 0 where the model has no fine code. */
  readonly fineCodeBits: number;
  readonly inputSize: number;
  /** @param pixels shape [count, inputSize, inputSize], 0 to 1 */
  encodeFine(pixels: Float32Array, count: number): Promise<Encoding>;
}

export interface InstanceOptions {
  readonly queryCount: number;
  /** Draws the queries and their changes. */
  readonly seed: number;
  readonly change: ImageChange;
  readonly onProgress?: (stage: 'encode' | 'query', done: number, total: number) => void;
  readonly onSkip?: (skipped: SkippedFile) => void;
}

export interface InstanceReport extends InstanceSummary {
  readonly bits: number;
  readonly fineBits: number;
  readonly queries: number;
  readonly gallery: number;
  readonly seed: number;
  /** Files left out because they could not be decoded. */
  readonly skipped: number;
  readonly change: ImageChange;
}

/** Images with their codes, in canonical tie order. */
interface Gallery {
  readonly files: readonly LabelledFile[];
  readonly codes: PackedCodes;
  readonly fineCodes: PackedCodes;
}

/**
 * Is an image found again? Every image of the folder is the gallery; the queries are some of them, changed a little
 * (`change`), and the one result that counts is the original. Ranks are exact.
 * @throws KinscanError INVALID_ARGUMENT where the model has no fine code or no image can be decoded
 */
export async function measureInstanceRetrieval(
  encoder: FineEncoder,
  folder: LabelledFolder,
  options: InstanceOptions,
): Promise<InstanceReport> {
  if (encoder.fineCodeBits === 0)
    throw new KinscanError('INVALID_ARGUMENT', 'the model has no fine code to order equal codes by');
  let skipped = 0;
  const gallery = await encodeGallery(encoder, folder, {
    ...options,
    onSkip: (file) => {
      skipped++;
      options.onSkip?.(file);
    },
  });
  if (gallery.files.length === 0) throw new KinscanError('INVALID_ARGUMENT', 'no image could be decoded');
  const rows = sampleRows(gallery.files.length, options.queryCount, options.seed);
  const random = new Random(options.seed);
  const queries: InstanceQuery[] = [];
  for (const row of rows) {
    queries.push(await queryOf(encoder, gallery, row, options.change, random));
    options.onProgress?.('query', queries.length, rows.length);
  }
  return {
    bits: encoder.codeBits,
    fineBits: encoder.fineCodeBits,
    queries: queries.length,
    gallery: gallery.files.length,
    seed: options.seed,
    skipped,
    change: options.change,
    ...summarizeInstances(queries, folder.classes),
  };
}

async function encodeGallery(
  encoder: FineEncoder,
  folder: LabelledFolder,
  options: InstanceOptions,
): Promise<Gallery> {
  const { files } = folder;
  const { codeBits, fineCodeBits, inputSize } = encoder;
  const embeddings = new Float32Array(files.length * codeBits);
  const fineEmbeddings = new Float32Array(files.length * fineCodeBits);
  const kept: LabelledFile[] = [];
  const onSkip = options.onSkip ?? (() => undefined);
  for await (const { rows, pixels } of readImageBatches(files, inputSize, onSkip)) {
    if (rows.length === 0) continue;
    const batch = await encoder.encodeFine(pixels, rows.length);
    embeddings.set(batch.embeddings, kept.length * codeBits);
    fineEmbeddings.set(batch.fineEmbeddings, kept.length * fineCodeBits);
    for (const row of rows) kept.push(files[row] as LabelledFile);
    options.onProgress?.('encode', (rows.at(-1) as number) + 1, files.length);
  }
  const order = canonicalTieOrder(kept.map(({ imageId }) => imageId));
  const packed = (values: Float32Array, bits: number): PackedCodes =>
    selectCodes(packEmbeddings(values.subarray(0, kept.length * bits), bits), order);
  return {
    files: order.map((row) => kept[row] as LabelledFile),
    codes: packed(embeddings, codeBits),
    fineCodes: packed(fineEmbeddings, fineCodeBits),
  };
}

async function queryOf(
  encoder: FineEncoder,
  gallery: Gallery,
  row: number,
  change: ImageChange,
  random: Random,
): Promise<InstanceQuery> {
  const file = gallery.files[row] as LabelledFile;
  const original = await decodeImage(await readFile(file.path));
  const changed = await decodeImage(await changedImage(original.frame, change, random));
  const { embeddings, fineEmbeddings } = await encoder.encodeFine(
    resizeToSquare(changed.frame, encoder.inputSize),
    1,
  );
  const code = distancesTo(packEmbeddings(embeddings, encoder.codeBits), gallery.codes);
  const fine = distancesTo(packEmbeddings(fineEmbeddings, encoder.fineCodeBits), gallery.fineCodes);
  const fineSpan = encoder.fineCodeBits + 1;
  return {
    label: file.label,
    codeDistance: code[row] as number,
    rankByRanking: {
      HAMMING: rankOf(row, (other) => code[other] as number, code.length),
      FINE: rankOf(row, (other) => (code[other] as number) * fineSpan + (fine[other] as number), code.length),
      FINE_ALONE: rankOf(row, (other) => fine[other] as number, code.length),
    },
  };
}

function distancesTo(query: PackedCodes, gallery: PackedCodes): Uint16Array {
  const distances = new Uint16Array(gallery.count);
  hammingDistancesTo(query, 0, gallery, distances);
  return distances;
}

/** Rank, from 1, of a row in ascending order of distance; equal distances keep the order of rows. */
function rankOf(row: number, distanceOf: (row: number) => number, count: number): number {
  const own = distanceOf(row);
  let rank = 1;
  for (let other = 0; other < count; other++) {
    const distance = distanceOf(other);
    if (distance < own || (distance === own && other < row)) rank++;
  }
  return rank;
}
