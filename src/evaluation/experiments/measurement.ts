import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { balancedBitEntropy, bucketSizes, leastCentreDistance } from '../../core/metrics-codes.js';
import { packEmbeddings } from '../../core/packed-codes.js';
import { ExactRanker, type Ranking } from '../exact-ranking.js';
import { rankByEmbedding } from '../float-ranking.js';
import {
  type ByCutOff,
  cutOffsUpTo,
  rounded,
  RankingSummarizer,
  type RankingSummary,
} from '../ranking-summary.js';
import {
  imageCount,
  type ImageSet,
  type MethodChange,
  type Rival,
  type TrainingBudget,
} from '../rivals/rival.js';
import { sharedTrunk } from '../rivals/shared-trunk.js';
import { withMirrorImages } from './mirror-images.js';
import { type ExperimentData, type ExperimentSet, pickImages } from './experiment-data.js';

/** One method at one code length on one data set. */
export interface MeasurementRequest {
  readonly rival: Rival;
  readonly codeBits: number;
  readonly seed: number;
  readonly budget: TrainingBudget;
  readonly top: number;
  /** Left out of the training; only its queries are asked then. */
  readonly unseenClass?: string;
  readonly change?: MethodChange;
  /** What the page calls the change. */
  readonly variant?: string;
}

export interface Measurement extends RankingSummary {
  /** What it was measured on and with; a stored measurement of another key is not reused. */
  readonly key: string;
  readonly method: string;
  readonly bits: number;
  readonly unseenClass: string | null;
  readonly variant: string | null;
  readonly queries: number;
  readonly gallery: number;
  readonly trainingImages: number;
  /** mAP@K when ranking by the real values before the sign. */
  readonly floatMapAtK: ByCutOff;
  readonly distinctCodes: number;
  readonly largestBucket: number;
  readonly leastBitEntropy: number;
  readonly meanBitEntropy: number;
  readonly leastCentreDistance: number;
  readonly fitSeconds: number;
  /** To describe (GIST methods), encode and rank one query; reading the file is left out. */
  readonly millisPerQuery: number;
  /** The first results of the queries that contact sheets show: gallery image ids by query id. */
  readonly shown: Readonly<Record<string, readonly string[]>>;
}

const SHOWN_QUERIES = 4;
const SHOWN_RESULTS = 10;

/** Everything that the result depends on; the times in it depend on the machine besides. */
export function measurementKey(request: MeasurementRequest, data: ExperimentData): string {
  const { rival, codeBits, seed, budget, top, unseenClass, change } = request;
  const learningRate = change?.learningRate === undefined ? {} : { learningRate: change.learningRate };
  const parts = {
    method: rival.name,
    hyperParameters: { ...rival.hyperParameters, ...learningRate },
    codeBits,
    seed,
    budget: rival.input === 'images' ? budget : null,
    top,
    unseenClass: unseenClass ?? null,
    change: change ?? null,
    data: data.fingerprint,
  };
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** The stored measurement of the same key, else a new one, stored. */
export async function measureOrReuse(
  request: MeasurementRequest,
  data: ExperimentData,
  folder: string,
  now: () => number,
  onProgress: (done: number, total: number) => void,
): Promise<{ readonly measurement: Measurement; readonly reused: boolean }> {
  const key = measurementKey(request, data);
  const path = join(folder, `${request.rival.name}-${request.codeBits}-${key.slice(0, 12)}.json`);
  const stored = await readFile(path, 'utf8').catch(() => undefined);
  if (stored !== undefined) {
    const measurement = JSON.parse(stored) as Measurement;
    // The same measurement may go by another name in another experiment.
    if (measurement.key === key)
      return { measurement: { ...measurement, variant: request.variant ?? null }, reused: true };
  }
  const measurement = await measure(request, data, folder, now, onProgress);
  await mkdir(folder, { recursive: true });
  await writeFile(`${path}.part`, JSON.stringify(measurement));
  await rename(`${path}.part`, path);
  return { measurement, reused: false };
}

async function measure(
  request: MeasurementRequest,
  data: ExperimentData,
  folder: string,
  now: () => number,
  onProgress: (done: number, total: number) => void,
): Promise<Measurement> {
  const { rival, codeBits, seed, budget, unseenClass, change } = request;
  const images = trainingSetOf(data, unseenClass);
  const training = rival.input === 'images' && budget.mirror ? withMirrorImages(images) : images;
  const trunk =
    rival.input === 'images' && budget.trunkIterations > 0
      ? await sharedTrunk(training, seed, budget, folder, onProgress)
      : undefined;
  const started = now();
  const encoder = await rival.fit(training, {
    codeBits,
    seed,
    budget,
    onProgress,
    ...(change === undefined ? {} : { change }),
    ...(trunk === undefined ? {} : { trunk }),
  });
  const fitSeconds = (now() - started) / 1000;
  try {
    const gallery = await encoder.encode(data.gallery.set);
    const encodeStarted = now();
    const queries = await encoder.encode(data.queries.set);
    const encodeMillis = (now() - encodeStarted) / imageCount(data.queries.set);
    const ranked = rankAll(data, codeBits, gallery, queries, request, now);
    const describeMillis = rival.input === 'descriptors' ? data.gistMillis : 0;
    return {
      key: measurementKey(request, data),
      method: rival.name,
      bits: codeBits,
      unseenClass: unseenClass ?? null,
      variant: request.variant ?? null,
      trainingImages: imageCount(images),
      fitSeconds: rounded(fitSeconds),
      millisPerQuery: rounded(describeMillis + encodeMillis + ranked.rankMillis),
      ...ranked.figures,
      ...codeFigures(gallery, codeBits, data.gallery.labels),
    };
  } finally {
    encoder.close();
  }
}

function trainingSetOf(data: ExperimentData, unseenClass: string | undefined): ImageSet {
  const { set, labels } = data.gallery;
  if (unseenClass === undefined) return set;
  const unseen = data.classes.indexOf(unseenClass);
  const rows = Array.from(labels.keys()).filter((row) => labels[row] !== unseen);
  return pickImages(set, rows);
}

function rankAll(
  data: ExperimentData,
  codeBits: number,
  galleryValues: Float32Array,
  queryValues: Float32Array,
  request: MeasurementRequest,
  now: () => number,
) {
  const { gallery, queries, classes } = data;
  const codes = packEmbeddings(galleryValues, codeBits);
  const queryCodes = packEmbeddings(queryValues, codeBits);
  const ranker = new ExactRanker(codes, gallery.labels);
  const cutOffs = cutOffsUpTo(request.top);
  const byCode = new RankingSummarizer(gallery.labels, classes.length, cutOffs);
  const byValue = new RankingSummarizer(gallery.labels, classes.length, cutOffs);
  const asked = askedQueries(data, request.unseenClass);
  const shown: Record<string, readonly string[]> = {};
  let rankMs = 0;
  asked.forEach((row, i) => {
    const label = queries.labels[row] as number;
    const started = now();
    const ranking = ranker.rank(queryCodes, row, label, request.top);
    rankMs += now() - started;
    byCode.add(ranking, label);
    const query = queryValues.subarray(row * codeBits, (row + 1) * codeBits);
    byValue.add(rankByEmbedding(galleryValues, gallery.labels, query, label, request.top), label);
    if (i < SHOWN_QUERIES) shown[queries.imageIds[row] as string] = firstResults(ranking, gallery);
  });
  return {
    rankMillis: rankMs / Math.max(1, asked.length),
    figures: {
      ...byCode.summary(),
      floatMapAtK: byValue.summary().mapAtK,
      queries: asked.length,
      gallery: gallery.imageIds.length,
      shown,
    },
  };
}

function askedQueries({ queries, classes }: ExperimentData, unseenClass: string | undefined): number[] {
  const rows = Array.from(queries.labels.keys());
  if (unseenClass === undefined) return rows;
  const unseen = classes.indexOf(unseenClass);
  return rows.filter((row) => queries.labels[row] === unseen);
}

function firstResults(ranking: Ranking, gallery: ExperimentSet): string[] {
  return Array.from(ranking.rows.slice(0, SHOWN_RESULTS), (row) => gallery.imageIds[row] as string);
}

function codeFigures(values: Float32Array, codeBits: number, labels: Int32Array) {
  const codes = packEmbeddings(values, codeBits);
  const buckets = bucketSizes(codes);
  const entropy = balancedBitEntropy(codes, labels);
  return {
    distinctCodes: buckets.length,
    largestBucket: buckets[0] ?? 0,
    leastBitEntropy: rounded(Math.min(...entropy)),
    meanBitEntropy: rounded(entropy.reduce((sum, value) => sum + value, 0) / entropy.length),
    leastCentreDistance: leastCentreDistance(codes, labels),
  };
}
