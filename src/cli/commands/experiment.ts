import { availableParallelism, cpus } from 'node:os';
import { basename, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import {
  findExperiment,
  runExperiment,
  type ExperimentOptions,
} from '../../evaluation/experiments/run-experiment.js';
import { EXPERIMENTS, partOf } from '../../evaluation/experiments/experiment-table.js';
import type { Measurement } from '../../evaluation/experiments/measurement.js';
import { jsonOption, wholeNumber } from '../options.js';
import { note, printJson, printTable } from '../output.js';
import { openStageProgress } from './stage-progress.js';

interface ExperimentFlags {
  readonly data: string;
  readonly gallery?: string;
  readonly out: string;
  readonly methods?: readonly string[];
  readonly lengths?: readonly number[];
  readonly queries: number;
  readonly database?: number;
  readonly seed: number;
  readonly input: number;
  readonly iterations: number;
  readonly trunkIterations: number;
  readonly batch: number;
  readonly top: number;
  readonly rotate: number;
  readonly shift: number;
  readonly scale: number;
  readonly intensity: number;
  readonly mirror?: boolean;
  readonly json?: boolean;
}

const COUNT_MAX = 10_000_000;
const SEED_MAX = 2 ** 32 - 1;

/** `kinscan experiment`: reproduces a table or a figure of the paper (docs/experiments.md). */
export function registerExperiment(program: Command): void {
  program
    .command('experiment <name>')
    .description(
      `reproduce a table or figure of the paper: ${EXPERIMENTS.map(({ name }) => name).join(', ')}`,
    )
    .requiredOption('--data <dir>', 'images in <class>/<image>, or train/ and test/ of that shape')
    .option('--gallery <dir>', 'take gallery and training set from here, and all queries from --data')
    .requiredOption('--out <dir>', 'folder for results; a run that was stopped goes on from what is there')
    .option('--methods <list>', 'only these methods, such as kinscan,ksh (default: all)', (text) =>
      text.split(','),
    )
    .option('--lengths <list>', 'only these code lengths, such as 16,48 (default: all)', (text) =>
      text.split(',').map(wholeNumber(1, 256)),
    )
    .option('--queries <n>', 'images to draw as queries', wholeNumber(1, COUNT_MAX), 1000)
    .option(
      '--database <n>',
      'images to draw for gallery and queries together (default: all)',
      wholeNumber(2, COUNT_MAX),
    )
    .option('--seed <n>', 'draws images and queries, and seeds every method', wholeNumber(0, SEED_MAX), 1)
    .option('--input <pixels>', 'side of the images that networks see', wholeNumber(16, 256), 32)
    .option('--iterations <n>', 'mini-batches that every network trains for', wholeNumber(1, COUNT_MAX), 1600)
    .option(
      '--trunk-iterations <n>',
      'mini-batches that the trunk shared by all networks trains for before, to tell the classes apart',
      wholeNumber(0, COUNT_MAX),
      0,
    )
    .option('--batch <n>', 'images in a mini-batch', wholeNumber(4, 4096), 100)
    .option('--rotate <degrees>', 'augmentation of every network: rotate up to this far', number(0, 180), 0)
    .option('--shift <share>', 'augmentation: shift up to this share of the side', number(0, 1), 0)
    .option('--scale <share>', 'augmentation: zoom up to this share, in or out', number(0, 0.9), 0)
    .option('--intensity <share>', 'augmentation: change brightness and contrast', number(0, 1), 0)
    .option('--mirror', 'augmentation: train with the mirror image of every image too')
    .option('--top <n>', 'results per query', wholeNumber(1, 10_000), 100)
    .addOption(jsonOption())
    .action(runCommand);
}

async function runCommand(name: string, flags: ExperimentFlags): Promise<void> {
  const experiment = partOf(findExperiment(name), { methods: flags.methods, codeLengths: flags.lengths });
  const titles = { decode: 'decoding', describe: 'GIST' };
  const progress = openStageProgress(titles);
  const skippedByCode = new Map<string, number>();
  let stopping = false;
  const stop = (): void => {
    stopping = true;
    note('stopping after this measurement; the same command goes on from there (again to stop at once)');
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const result = await runExperiment({
      ...optionsOf(flags),
      experiment,
      command: commandLine(name, flags),
      stopRequested: () => stopping,
      onProgress: progress.show,
      onMeasured: (measurement, reused) => {
        progress.stop();
        note(measuredLine(measurement, reused, flags.top));
      },
      onSkip: ({ code }) => skippedByCode.set(code, (skippedByCode.get(code) ?? 0) + 1),
    });
    if (flags.json === true) printJson(result);
    else
      printTable(
        ['written'],
        result.files.map((file) => [file]),
      );
  } finally {
    progress.stop();
    for (const [code, count] of skippedByCode)
      note(`warning: ${count} ${count === 1 ? 'file' : 'files'} left out: ${code}`);
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

type OptionsOfFlags = Omit<
  ExperimentOptions,
  'experiment' | 'command' | 'stopRequested' | 'onProgress' | 'onMeasured' | 'onSkip'
>;

function optionsOf(flags: ExperimentFlags): OptionsOfFlags {
  return {
    dataFolder: flags.data,
    ...(flags.gallery === undefined ? {} : { galleryFolder: flags.gallery }),
    outFolder: flags.out,
    queryCount: flags.queries,
    ...(flags.database === undefined ? {} : { databaseSize: flags.database }),
    seed: flags.seed,
    inputSize: flags.input,
    budget: {
      iterations: flags.iterations,
      trunkIterations: flags.trunkIterations,
      batchSize: flags.batch,
      augmentation: {
        rotationDegrees: flags.rotate,
        shift: flags.shift,
        scale: flags.scale,
        intensity: flags.intensity,
        noise: 0,
      },
      mirror: flags.mirror === true,
    },
    top: flags.top,
    hardware: `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node.js ${process.version}`,
    dataTitle: basename(resolve(flags.data)),
    now: () => performance.now(),
  };
}

/** The command that gives the same figures, with every option that decides them; folders by their last name. */
function commandLine(name: string, flags: ExperimentFlags): string {
  const parts = [
    `kinscan experiment ${name} --data ${basename(resolve(flags.data))} --out ${basename(resolve(flags.out))}`,
    ...(flags.gallery === undefined ? [] : [`--gallery ${basename(resolve(flags.gallery))}`]),
    ...(flags.methods === undefined ? [] : [`--methods ${flags.methods.join(',')}`]),
    ...(flags.lengths === undefined ? [] : [`--lengths ${flags.lengths.join(',')}`]),
    `--queries ${flags.queries}`,
    ...(flags.database === undefined ? [] : [`--database ${flags.database}`]),
    `--seed ${flags.seed} --input ${flags.input} --iterations ${flags.iterations} --batch ${flags.batch}`,
    ...(flags.trunkIterations > 0 ? [`--trunk-iterations ${flags.trunkIterations}`] : []),
    ...(['rotate', 'shift', 'scale', 'intensity'] as const)
      .filter((name) => flags[name] > 0)
      .map((name) => `--${name} ${flags[name]}`),
    ...(flags.mirror === true ? ['--mirror'] : []),
    `--top ${flags.top}`,
  ];
  return parts.join(' ');
}

/** A parser for numbers in a range, for commander. */
function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max))
      throw new InvalidArgumentError(`It is a number from ${min} to ${max}.`);
    return value;
  };
}

function measuredLine(measurement: Measurement, reused: boolean, top: number): string {
  const k = String(top);
  return JSON.stringify({
    event: reused ? 'reused' : 'measured',
    method: measurement.method,
    bits: measurement.bits,
    ...(measurement.unseenClass === null ? {} : { unseenClass: measurement.unseenClass }),
    ...(measurement.variant === null ? {} : { variant: measurement.variant }),
    [`mapAt${k}`]: measurement.mapAtK[k],
    worstTies: measurement.mapAtKWorstTies[k],
    beforeTheSign: measurement.floatMapAtK[k],
    accuracy: measurement.accuracy,
    fitSeconds: measurement.fitSeconds,
  });
}
