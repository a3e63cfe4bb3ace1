import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KinscanError } from '../../core/errors.js';
import type { SkippedFile } from '../image-batches.js';
import { RIVALS } from '../rivals/rival-table.js';
import type { Rival, TrainingBudget } from '../rivals/rival.js';
import { contactSheetSvg } from './contact-sheet.js';
import { type ExperimentData, loadExperimentData } from './experiment-data.js';
import { type Experiment, EXPERIMENTS } from './experiment-table.js';
import { linePlotSvg } from './line-plot.js';
import { curveBits, markdownPage, titleOf } from './markdown-page.js';
import { type Measurement, type MeasurementRequest, measureOrReuse } from './measurement.js';

export interface ExperimentOptions {
  readonly experiment: Experiment;
  readonly dataFolder: string;
  readonly galleryFolder?: string;
  readonly outFolder: string;
  readonly queryCount: number;
  readonly databaseSize?: number;
  readonly seed: number;
  readonly inputSize: number;
  readonly budget: TrainingBudget;
  readonly top: number;
  /** For the page: the command line and the machine. */
  readonly command: string;
  readonly hardware: string;
  /** What the page calls the data. */
  readonly dataTitle: string;
  readonly now: () => number;
  /** Asked before every measurement: true ends the run; what is measured is kept. */
  readonly stopRequested: () => boolean;
  readonly onProgress: (stage: string, done: number, total: number) => void;
  readonly onMeasured: (measurement: Measurement, reused: boolean) => void;
  readonly onSkip: (skipped: SkippedFile) => void;
}

export interface ExperimentResult {
  readonly experiment: string;
  readonly complete: boolean;
  readonly measurements: readonly Measurement[];
  readonly files: readonly string[];
}

/** @throws KinscanError INVALID_ARGUMENT for a name that is none */
export function findExperiment(name: string): Experiment {
  const found = EXPERIMENTS.find((experiment) => experiment.name === name);
  if (found !== undefined) return found;
  const names = EXPERIMENTS.map((experiment) => experiment.name).join(', ');
  throw new KinscanError('INVALID_ARGUMENT', `no experiment '${name}'; there are ${names}`);
}

/**
 * Runs an experiment: measures what is not measured yet, then writes
 *
 *   OUT/measurements/<method>-<bits>-<key>.json   shared by all experiments in OUT: the resume point
 *   OUT/<name>.json   OUT/<name>.md   OUT/<name>-*.svg   plots of numbers
 *   OUT/sheets/<name>-<n>.svg                     contact sheets: images of the data set, not for committing
 *
 * The page is written only when every measurement is there.
 * @throws KinscanError INVALID_ARGUMENT, INVALID_TRAINING_DATA, TRAINING_DIVERGED
 */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const { experiment, outFolder, now } = options;
  const started = now();
  const rivals = experiment.methods.map((name) => RIVALS.find((rival) => rival.name === name) as Rival);
  const data = await loadExperimentData({
    dataFolder: options.dataFolder,
    ...(options.galleryFolder === undefined ? {} : { galleryFolder: options.galleryFolder }),
    cacheFolder: join(outFolder, 'cache'),
    ...(options.databaseSize === undefined ? {} : { databaseSize: options.databaseSize }),
    queryCount: options.queryCount,
    seed: options.seed,
    inputSize: options.inputSize,
    withDescriptors: rivals.some(({ input }) => input === 'descriptors'),
    now,
    onProgress: options.onProgress,
    onSkip: options.onSkip,
  });
  const measurements: Measurement[] = [];
  let reusedCount = 0;
  const requests = requestsOf(experiment, rivals, data, options);
  for (const request of requests) {
    if (options.stopRequested()) break;
    const without = request.unseenClass === undefined ? '' : ` without ${request.unseenClass}`;
    const variant = request.variant === undefined ? '' : `, ${request.variant}`;
    const stage = `${request.rival.title}, ${request.codeBits} bits${without}${variant}`;
    const folder = join(outFolder, 'measurements');
    const { measurement, reused } = await measureOrReuse(request, data, folder, now, (done, total) =>
      options.onProgress(stage, done, total),
    );
    if (reused) reusedCount += 1;
    options.onMeasured(measurement, reused);
    measurements.push(measurement);
  }
  const complete = measurements.length === requests.length;
  const seconds = (now() - started) / 1000;
  const files = complete ? await writeResults(options, data, measurements, seconds, reusedCount) : [];
  return { experiment: experiment.name, complete, measurements, files };
}

function requestsOf(
  experiment: Experiment,
  rivals: readonly Rival[],
  data: ExperimentData,
  options: ExperimentOptions,
): MeasurementRequest[] {
  const { seed, budget, top } = options;
  const shared = { seed, budget, top };
  if (experiment.variants !== undefined) {
    return experiment.variants.flatMap(({ group, title, method, change, budget: changed }) =>
      experiment.codeLengths.map((codeBits) => ({
        ...shared,
        rival: rivals.find(({ name }) => name === method) as Rival,
        codeBits,
        budget: { ...budget, ...changed },
        variant: `${group}: ${title}`,
        ...(change === undefined ? {} : { change }),
      })),
    );
  }
  // The length that curves show first, and cheap methods, so that a run that is stopped early has something to show.
  const shown = curveBits(experiment);
  const lengths = [...experiment.codeLengths].sort((a, b) => Number(b === shown) - Number(a === shown));
  const cost = ({ input }: Rival) => (input === 'descriptors' ? 0 : 1);
  const ordered = [...rivals].sort((a, b) => cost(a) - cost(b));
  const unseen = experiment.views.includes('unseen-class') ? data.classes : [undefined];
  return lengths.flatMap((codeBits) =>
    ordered.flatMap((rival) =>
      unseen.map((name) => ({
        ...shared,
        rival,
        codeBits,
        ...(name === undefined ? {} : { unseenClass: name }),
      })),
    ),
  );
}

async function writeResults(
  options: ExperimentOptions,
  data: ExperimentData,
  measured: readonly Measurement[],
  seconds: number,
  reused: number,
): Promise<string[]> {
  const { experiment, outFolder } = options;
  const rank = (one: Measurement) => experiment.methods.indexOf(one.method);
  const measurements = [...measured].sort((a, b) => rank(a) - rank(b) || a.bits - b.bits);
  await mkdir(join(outFolder, 'sheets'), { recursive: true });
  const plots = [
    ...(experiment.views.includes('curve') ? [await writeCurve(options, measurements)] : []),
    ...(experiment.views.includes('map-by-length') ? [await writeLengths(options, measurements)] : []),
  ];
  const sheets = experiment.views.includes('contact-sheet')
    ? await writeSheets(options, data, measurements)
    : [];
  const facts = {
    command: options.command,
    hardware: options.hardware,
    seconds,
    reused,
    data: options.dataTitle,
    classes: data.classes,
    seed: options.seed,
    inputSize: options.inputSize,
    budget: options.budget,
    top: options.top,
  };
  const json = `${experiment.name}.json`;
  const page = `${experiment.name}.md`;
  await writeFile(
    join(outFolder, json),
    `${JSON.stringify({ experiment: experiment.name, facts, measurements }, null, 1)}\n`,
  );
  await writeFile(join(outFolder, page), markdownPage(experiment, measurements, facts, plots));
  return [json, page, ...plots, ...sheets].map((file) => join(outFolder, file));
}

async function writeCurve(options: ExperimentOptions, measurements: readonly Measurement[]): Promise<string> {
  const bits = curveBits(options.experiment);
  const file = `${options.experiment.name}-map.svg`;
  const svg = linePlotSvg({
    title: `mAP by number of results, ${bits} bits`,
    xTitle: 'number of results K',
    yTitle: 'mAP@K',
    series: measurements
      .filter((one) => one.bits === bits)
      .map((one) => ({
        title: titleOf(one.method),
        points: Object.entries(one.mapAtK).map(([k, value]) => [Number(k), value] as const),
      })),
  });
  await writeFile(join(options.outFolder, file), svg);
  return file;
}

async function writeLengths(
  { experiment, outFolder, top }: ExperimentOptions,
  measurements: readonly Measurement[],
): Promise<string> {
  const file = `${experiment.name}-lengths.svg`;
  const svg = linePlotSvg({
    title: `mAP@${top} by code length`,
    xTitle: 'bits',
    yTitle: `mAP@${top}`,
    series: experiment.methods.map((method) => ({
      title: titleOf(method),
      points: measurements
        .filter((one) => one.method === method)
        .map((one) => [one.bits, one.mapAtK[String(top)] ?? 0] as const),
    })),
  });
  await writeFile(join(outFolder, file), svg);
  return file;
}

async function writeSheets(
  options: ExperimentOptions,
  data: ExperimentData,
  measurements: readonly Measurement[],
): Promise<string[]> {
  const atOneLength = measurements.filter((one) => one.bits === curveBits(options.experiment));
  const files: string[] = [];
  for (const queryId of Object.keys(atOneLength[0]?.shown ?? {})) {
    const rows = atOneLength.map((one) => ({
      title: titleOf(one.method),
      results: one.shown[queryId] ?? [],
    }));
    const file = join('sheets', `${options.experiment.name}-${files.length + 1}.svg`);
    await writeFile(join(options.outFolder, file), await contactSheetSvg(data, queryId, rows));
    files.push(file);
  }
  return files;
}
