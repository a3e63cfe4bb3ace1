import { InvalidArgumentError, type Command } from 'commander';
import { decodeImage } from '../../imaging/decode-image.js';
import { resizeToSquare } from '../../imaging/resize.js';
import { loadClassFolders, type PixelReader } from '../../model/class-folders.js';
import { trainByLengths } from '../../model/train-by-lengths.js';
import type { TrainingReport } from '../../model/train-model.js';
import {
  DEFAULT_TRAINING_SETTINGS,
  resolveTrainingSettings,
  type TrainingSettings,
} from '../../model/training-settings.js';
import { note, printJson, printTable } from '../output.js';
import { createTrainingReport, loadingProgress } from './train-progress.js';

interface TrainFlags {
  readonly data: string;
  readonly out: string;
  readonly from?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly bits: number;
  readonly fineBits: number;
  readonly lengths: readonly number[];
  readonly input: number;
  readonly iterations: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly learningRateDecay: 'steps' | 'cosine';
  readonly warmUp: number;
  readonly clipGradient: number;
  readonly learningRateFactor: number;
  readonly learningRateStep: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly loss: 'full' | 'plain';
  readonly margin?: number;
  readonly alpha: number;
  readonly centre: boolean;
  readonly pairs: 'all' | 'drawn';
  readonly classBalance: number;
  readonly rotate: number;
  readonly shift: number;
  readonly scale: number;
  readonly intensity: number;
  readonly noise: number;
  readonly validation: number;
  readonly validateEvery: number;
  readonly patience: number;
  readonly checkpointEvery: number;
  readonly settle: number;
  readonly seed: number;
}

/** `kinscan train`: trains a model on folders `<class>/<image>`. */
export function registerTrain(program: Command): void {
  const defaults = DEFAULT_TRAINING_SETTINGS;
  const command = program
    .command('train')
    .description('train a hashing network on folders <class>/<image>')
    .requiredOption('--data <dir>', 'folder with one sub-folder of images per class')
    .requiredOption('--out <dir>', 'model folder to write')
    .option('--bits <k>', 'code length', number, defaults.codeBits)
    .option(
      '--fine-bits <n>',
      'length of the fine code that orders ties; 0 for none',
      number,
      defaults.fineCodeBits,
    )
    .option('--lengths <list>', 'train these shorter codes first and widen, such as 16,32', numbers, [])
    .option('--input <pixels>', 'side of the square that images are resized to', number, defaults.inputSize)
    .option(
      '--iterations <n>',
      'mini-batches to train for; 0 with --from only settles and learns the fine code',
      number,
      defaults.iterations,
    )
    .option('--batch <n>', 'images in a mini-batch', number, defaults.batchSize)
    .option(
      '--loss <name>',
      "'full' (eq. 3 of the paper) or 'plain' (eq. 1)",
      choice('full', 'plain'),
      defaults.loss,
    )
    .option('--margin <m>', 'margin on the squared distance (default: twice the code length)', number)
    .option('--alpha <a>', 'weight of the regulariser towards -1 and +1', number, defaults.alpha)
    .option('--no-centre', 'do not centre the embeddings of a batch before the loss (the paper does not)')
    .option(
      '--pairs <kind>',
      "'all' pairs of a batch, or pairs 'drawn' 2 similar to 3 dissimilar",
      choice('all', 'drawn'),
      defaults.pairs,
    )
    .option(
      '--class-balance <p>',
      'classes are drawn in proportion to size^p: 1 as they are, 0 evenly',
      number,
      defaults.classBalance,
    );
  addStepOptions(command);
  addAugmentationOptions(command)
    .option(
      '--validation <share>',
      'share of every class held out to choose the best weights by',
      number,
      defaults.validationShare,
    )
    .option('--validate-every <n>', 'iterations between validations', number, defaults.validationEvery)
    .option(
      '--patience <n>',
      'stop after this many validations without gain; 0 never',
      number,
      defaults.patience,
    )
    .option('--checkpoint-every <n>', 'iterations between checkpoints', number, defaults.checkpointEvery)
    .option(
      '--settle <n>',
      'then mini-batches of the last layers alone, so that small changes keep their code; 0 for none',
      number,
      defaults.settleIterations,
    )
    .option('--seed <n>', 'decides initial weights, split and batches', number, defaults.seed)
    .option('--from <dir>', 'start from the layers of this model; a longer code widens its hash layer')
    .option('--resume', 'go on from the checkpoint in --out')
    .option('--json', 'print the final metrics as one JSON document')
    .action(runTrain);
}

/** `--learning-rate` and what it does over time, `--clip-gradient`, `--momentum`, `--weight-decay`. */
function addStepOptions(command: Command): Command {
  const defaults = DEFAULT_TRAINING_SETTINGS;
  return command
    .option('--learning-rate <r>', 'at the start', number, defaults.learningRate)
    .option(
      '--learning-rate-decay <kind>',
      "how the rate falls: in 'steps', or as a half 'cosine' to 0 at the last iteration",
      choice('steps', 'cosine'),
      defaults.learningRateDecay,
    )
    .option(
      '--learning-rate-factor <f>',
      'what each step multiplies the rate by',
      number,
      defaults.learningRateFactor,
    )
    .option(
      '--learning-rate-step <n>',
      'iterations between steps of the rate',
      number,
      defaults.learningRateStep,
    )
    .option(
      '--warm-up <n>',
      'iterations over which the rate rises; 0 for none',
      number,
      defaults.warmUpIterations,
    )
    .option(
      '--clip-gradient <norm>',
      'greatest norm of a gradient; 0 for any',
      number,
      defaults.gradientNormMax,
    )
    .option('--momentum <m>', '', number, defaults.momentum)
    .option('--weight-decay <d>', '', number, defaults.weightDecay);
}

/** `--rotate`, `--shift`, `--scale`, `--intensity`, `--noise`. */
function addAugmentationOptions(command: Command): Command {
  const none = DEFAULT_TRAINING_SETTINGS.augmentation;
  return command
    .option(
      '--rotate <degrees>',
      'augmentation: rotate up to this far, either way',
      number,
      none.rotationDegrees,
    )
    .option('--shift <share>', 'augmentation: shift up to this share of the side', number, none.shift)
    .option('--scale <share>', 'augmentation: zoom up to this share, in or out', number, none.scale)
    .option('--intensity <share>', 'augmentation: change brightness and contrast', number, none.intensity)
    .option('--noise <share>', 'augmentation: deviation of added noise', number, none.noise);
}

async function runTrain(flags: TrainFlags): Promise<void> {
  const settings = resolveTrainingSettings(settingsOf(flags));
  const { images, skippedByCode } = await loadClassFolders(
    flags.data,
    settings.inputSize,
    readPixels,
    loadingProgress(),
  );
  for (const [code, count] of skippedByCode)
    note(`warning: ${count} ${count === 1 ? 'file' : 'files'} left out: ${code}`);
  let stopping = false;
  const stop = (): void => {
    stopping = true;
    note('stopping: the best weights so far are written; --resume goes on');
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const report = createTrainingReport(settings.iterations);
  const options = {
    images,
    settings,
    outFolder: flags.out,
    resume: flags.resume === true,
    note: report.note,
  };
  try {
    const observer = { ...report.observer, stopRequested: () => stopping };
    const from = flags.from === undefined ? {} : { fromFolder: flags.from };
    const result = await trainByLengths({ ...options, ...from, observer }, flags.lengths);
    report.stop();
    if (flags.json === true) printJson(result);
    else printResult(result, flags.out);
  } finally {
    report.stop();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function settingsOf(flags: TrainFlags): Partial<TrainingSettings> {
  return {
    codeBits: flags.bits,
    fineCodeBits: flags.fineBits,
    inputSize: flags.input,
    iterations: flags.iterations,
    batchSize: flags.batch,
    learningRate: flags.learningRate,
    learningRateDecay: flags.learningRateDecay,
    learningRateFactor: flags.learningRateFactor,
    learningRateStep: flags.learningRateStep,
    warmUpIterations: flags.warmUp,
    gradientNormMax: flags.clipGradient,
    momentum: flags.momentum,
    weightDecay: flags.weightDecay,
    loss: flags.loss,
    ...(flags.margin === undefined ? {} : { margin: flags.margin }),
    alpha: flags.alpha,
    centre: flags.centre,
    pairs: flags.pairs,
    classBalance: flags.classBalance,
    augmentation: {
      rotationDegrees: flags.rotate,
      shift: flags.shift,
      scale: flags.scale,
      intensity: flags.intensity,
      noise: flags.noise,
    },
    validationShare: flags.validation,
    validationEvery: flags.validateEvery,
    patience: flags.patience,
    checkpointEvery: flags.checkpointEvery,
    settleIterations: flags.settle,
    seed: flags.seed,
  };
}

const readPixels: PixelReader = async (bytes, inputSize) => {
  const { frame } = await decodeImage(bytes);
  return resizeToSquare(frame, inputSize);
};

function printResult(result: TrainingReport, outFolder: string): void {
  const { validation } = result;
  const rows: [string, string | number][] = [
    ['model', outFolder],
    ['model version', result.modelVersion],
    ['code', `${result.codeBits} bits, input ${result.inputSize}×${result.inputSize}`],
    ['images', `${result.images} in ${result.classes} classes`],
    ['iterations', `${result.iterations}, weights of iteration ${result.chosenIteration}`],
    ['loss of the last batch', result.loss === null ? '-' : result.loss.toFixed(4)],
  ];
  if (validation !== null) {
    rows.push(['held-out mAP@100', validation.mapAt100.toFixed(4)]);
    rows.push(['held-out mAP@100, worst ties', validation.mapAt100WorstTies.toFixed(4)]);
    rows.push(['distinct codes held out', validation.distinctCodes]);
    rows.push(['least entropy of a bit', validation.bitEntropyMin.toFixed(3)]);
  }
  printTable(['trained', ''], rows);
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number');
  return value;
}

function numbers(text: string): number[] {
  return text.split(',').map(number);
}

function choice<T extends string>(...allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((option) => option === text);
    if (found === undefined) throw new InvalidArgumentError(`expected ${allowed.join(' or ')}`);
    return found;
  };
}
