import { KinscanError } from '../core/errors.js';
import { balancedBitEntropy, bucketSizes, leastCentreDistance } from '../core/metrics-codes.js';
import { packEmbeddings, selectCodes, zeroCodes, type PackedCodes } from '../core/packed-codes.js';
import type { Encoding } from '../model/encoding-engine.js';
import { canonicalTieOrder, ExactFineRanker, ExactRanker } from './exact-ranking.js';
import { readImageBatches, type SkippedFile } from './image-batches.js';
import type { DataFolders, LabelledFile, LabelledFolder } from './labelled-folder.js';
import { sampleRows, splitQueries } from './query-split.js';
import { cutOffsUpTo, rounded, RankingSummarizer, type RankingSummary } from './ranking-summary.js';

/** What evaluation needs of a model. */
export interface EmbeddingEncoder {
  readonly codeBits: number;
  /** Width and height of the images it takes, in pixels. */
  readonly inputSize: number;
  /**
   * @param pixels shape [count, inputSize, inputSize], 0 to 1
   * @returns embeddings, shape [count, codeBits]
   */
  encode(pixels: Float32Array, count: number): Promise<Float32Array> | Float32Array;
  /** Length of the fine code; absent or 0: there is none. */
  readonly fineCodeBits?: number;
  /** With the values whose signs are the fine code, shape [count, fineCodeBits]; used where there is a fine code. */
  encodeFine?(pixels: Float32Array, count: number): Promise<Encoding>;
}

export interface EvaluationOptions {
  readonly queryCount: number;
  /** Results ranked per query, K at most. */
  readonly top: number;
  readonly seed: number;
  /** Milliseconds that only ever go up. */
  readonly now: () => number;
  readonly onProgress?: (stage: 'encode' | 'rank', done: number, total: number) => void;
  readonly onSkip?: (skipped: SkippedFile) => void;
}

export interface EvaluationReport extends RankingSummary {
  readonly bits: number;
  readonly queries: number;
  readonly gallery: number;
  readonly classes: readonly string[];
  readonly seed: number;
  /** Files left out because they could not be decoded. */
  readonly skipped: number;
  /** Of the gallery's codes. */
  readonly distinctCodes: number;
  readonly largestBucket: number;
  readonly medianBucket: number;
  /** Every class weighing the same; see metrics-codes.ts. */
  readonly bitEntropy: { readonly least: number; readonly mean: number; readonly perBit: readonly number[] };
  readonly leastCentreDistance: number;
  /** Mean time to answer one query from its pixels: encoding and ranking; reading the file is not included. */
  readonly millisPerQuery: number;
  readonly millisPerQueryParts: { readonly encode: number; readonly rank: number };
  /** The same by the ranking FINE; null where the model has no fine code. */
  readonly fine: (RankingSummary & { readonly bits: number }) | null;
}

/** A list of images that were decoded and encoded. */
interface EncodedSet {
  readonly files: readonly LabelledFile[];
  readonly codes: PackedCodes;
  /** Of 0 bits where the model has no fine code. */
  readonly fineCodes: PackedCodes;
  readonly labels: Int32Array;
}

/**
 * How well a model's codes rank images of the same class first: splits queries from gallery (or takes the given
 * split), encodes, ranks the gallery for every query by Hamming distance in canonical order, and measures.
 * @throws KinscanError INVALID_ARGUMENT where too few images are left for the queries asked for
 */
export async function evaluateModel(
  encoder: EmbeddingEncoder,
  data: DataFolders,
  options: EvaluationOptions,
): Promise<EvaluationReport> {
  const watch = { encodeMs: 0, encoded: 0, skipped: 0 };
  const { gallery, queries, classes } = await encodeBoth(encoder, data, options, watch);
  const summarizer = new RankingSummarizer(gallery.labels, classes.length, cutOffsUpTo(options.top));
  const ranker = new ExactRanker(gallery.codes, gallery.labels);
  let rankMs = 0;
  for (let row = 0; row < queries.codes.count; row++) {
    const label = queries.labels[row] as number;
    const started = options.now();
    const ranking = ranker.rank(queries.codes, row, label, options.top);
    rankMs += options.now() - started;
    summarizer.add(ranking, label);
    options.onProgress?.('rank', row + 1, queries.codes.count);
  }
  const buckets = bucketSizes(gallery.codes);
  const entropy = balancedBitEntropy(gallery.codes, gallery.labels);
  const encode = watch.encodeMs / Math.max(1, watch.encoded);
  const rank = rankMs / Math.max(1, queries.codes.count);
  return {
    bits: encoder.codeBits,
    queries: queries.codes.count,
    gallery: gallery.codes.count,
    classes,
    seed: options.seed,
    skipped: watch.skipped,
    ...summarizer.summary(),
    distinctCodes: buckets.length,
    largestBucket: buckets[0] ?? 0,
    medianBucket: buckets[buckets.length >> 1] ?? 0,
    bitEntropy: {
      least: rounded(Math.min(...entropy)),
      mean: rounded(entropy.reduce((sum, value) => sum + value, 0) / entropy.length),
      perBit: Array.from(entropy, rounded),
    },
    leastCentreDistance: leastCentreDistance(gallery.codes, gallery.labels),
    millisPerQuery: rounded(encode + rank),
    millisPerQueryParts: { encode: rounded(encode), rank: rounded(rank) },
    fine: fineSummary(gallery, queries, classes.length, options.top),
  };
}

function fineSummary(
  gallery: EncodedSet,
  queries: EncodedSet,
  classCount: number,
  top: number,
): EvaluationReport['fine'] {
  const bits = gallery.fineCodes.codeBits;
  if (bits === 0) return null;
  const summarizer = new RankingSummarizer(gallery.labels, classCount, cutOffsUpTo(top));
  const ranker = new ExactFineRanker(gallery.codes, gallery.fineCodes, gallery.labels);
  queries.labels.forEach((label, row) => {
    summarizer.add(ranker.rank(queries.codes, queries.fineCodes, row, label, top), label);
  });
  return { bits, ...summarizer.summary() };
}

async function encodeBoth(
  encoder: EmbeddingEncoder,
  data: DataFolders,
  options: EvaluationOptions,
  watch: EncodeWatch,
): Promise<{ gallery: EncodedSet; queries: EncodedSet; classes: readonly string[] }> {
  if (data.kind === 'one') {
    // Queries are drawn among the images that can be decoded, so that their number is the one asked for.
    const all = await encodeFolder(encoder, data.folder, options, watch);
    const split = splitQueries(all.files.length, options.queryCount, options.seed);
    return {
      gallery: selectInTieOrder(all, split.gallery),
      queries: selectInTieOrder(all, split.queries),
      classes: data.folder.classes,
    };
  }
  const gallery = await encodeFolder(encoder, data.gallery, options, watch);
  const drawn = sampleRows(data.queries.files.length, options.queryCount, options.seed);
  const files = drawn.map((row) => data.queries.files[row] as LabelledFile);
  const queries = await encodeFolder(encoder, { ...data.queries, files }, options, watch);
  if (gallery.files.length === 0 || queries.files.length === 0) {
    throw new KinscanError('INVALID_ARGUMENT', 'no image of the gallery or of the queries could be decoded');
  }
  const every = (set: EncodedSet) => set.files.map((_, row) => row);
  return {
    gallery: selectInTieOrder(gallery, every(gallery)),
    queries: selectInTieOrder(queries, every(queries)),
    classes: data.gallery.classes,
  };
}

interface EncodeWatch {
  encodeMs: number;
  encoded: number;
  skipped: number;
}

async function encodeFolder(
  encoder: EmbeddingEncoder,
  folder: LabelledFolder,
  options: EvaluationOptions,
  watch: EncodeWatch,
): Promise<EncodedSet> {
  const { files } = folder;
  const { codeBits, fineCodeBits = 0 } = encoder;
  const embeddings = new Float32Array(files.length * codeBits);
  const fineEmbeddings = new Float32Array(files.length * fineCodeBits);
  const kept: LabelledFile[] = [];
  let done = 0;
  const onSkip = (skipped: SkippedFile): void => {
    watch.skipped += 1;
    done += 1;
    options.onSkip?.(skipped);
  };
  for await (const { rows, pixels } of readImageBatches(files, encoder.inputSize, onSkip)) {
    if (rows.length > 0) {
      const started = options.now();
      const batch = await encodeBatch(encoder, pixels, rows.length);
      embeddings.set(batch.embeddings, kept.length * codeBits);
      fineEmbeddings.set(batch.fineEmbeddings, kept.length * fineCodeBits);
      watch.encodeMs += options.now() - started;
      watch.encoded += rows.length;
      for (const row of rows) kept.push(files[row] as LabelledFile);
      done += rows.length;
    }
    options.onProgress?.('encode', done, files.length);
  }
  return {
    files: kept,
    codes: packEmbeddings(embeddings.subarray(0, kept.length * codeBits), codeBits),
    fineCodes:
      fineCodeBits === 0
        ? zeroCodes(kept.length, 0)
        : packEmbeddings(fineEmbeddings.subarray(0, kept.length * fineCodeBits), fineCodeBits),
    labels: Int32Array.from(kept, ({ label }) => label),
  };
}

async function encodeBatch(
  encoder: EmbeddingEncoder,
  pixels: Float32Array,
  count: number,
): Promise<Encoding> {
  if (encoder.encodeFine !== undefined) return encoder.encodeFine(pixels, count);
  return { embeddings: await encoder.encode(pixels, count), fineEmbeddings: new Float32Array(0) };
}

function selectInTieOrder(set: EncodedSet, rows: readonly number[]): EncodedSet {
  const order = canonicalTieOrder(rows.map((row) => (set.files[row] as LabelledFile).imageId));
  const ordered = order.map((at) => rows[at] as number);
  return {
    files: ordered.map((row) => set.files[row] as LabelledFile),
    codes: selectCodes(set.codes, ordered),
    fineCodes: selectCodes(set.fineCodes, ordered),
    labels: Int32Array.from(ordered, (row) => set.labels[row] as number),
  };
}
