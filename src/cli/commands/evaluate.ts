import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { evaluateModel, type EvaluationReport } from '../../evaluation/evaluate-model.js';
import { STANDARD_CHANGE } from '../../evaluation/changed-image.js';
import { measureInstanceRetrieval, type InstanceReport } from '../../evaluation/instance-retrieval.js';
import { INSTANCE_RANKINGS } from '../../evaluation/instance-summary.js';
import { findDataFolders } from '../../evaluation/labelled-folder.js';
import { openEncodingEngine, type EncodingEngine } from '../../model/encoding-engine.js';
import { jsonOption, wholeNumber } from '../options.js';
import { note, printJson, printTable } from '../output.js';
import { openStageProgress } from './stage-progress.js';

interface EvaluateFlags {
  readonly model: string;
  readonly data: string;
  readonly gallery?: string;
  readonly queries: number;
  readonly top: number;
  readonly seed: number;
  readonly threads: number;
  readonly instances?: boolean;
  readonly json?: boolean;
}

type Versioned<T> = T & { readonly modelVersion: string };

const QUERIES_MAX = 1_000_000;
const TOP_MAX = 10_000;
const THREADS_MAX = 256;
const SEED_MAX = 2 ** 32 - 1;

/** `kinscan evaluate`: how well a model ranks images of the same class first (docs/metrics.md). */
export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('measure how well a model ranks images of the same class first')
    .requiredOption('--model <dir>', 'model folder, as `kinscan train` writes it')
    .requiredOption('--data <dir>', 'images in <class>/<image>, or train/ and test/ of that shape')
    .option('--gallery <dir>', 'take the gallery from here, and all queries from --data')
    .requiredOption('--queries <n>', 'images to draw as queries', wholeNumber(1, QUERIES_MAX))
    .option('--top <n>', 'results per query', wholeNumber(1, TOP_MAX), 100)
    .option('--seed <n>', 'draws the queries', wholeNumber(0, SEED_MAX), 1)
    .option('--threads <n>', 'threads that encode', wholeNumber(1, THREADS_MAX), availableParallelism())
    .option(
      '--instances',
      'instead: how often is an image found again after a small change (turned, moved, scaled, noise, JPEG)?',
    )
    .addOption(jsonOption())
    .action(async (flags: EvaluateFlags) => {
      if (flags.instances === true) {
        const report = await withEngine(flags, findImagesAgain);
        if (flags.json === true) printJson(report);
        else printInstances(report);
        return;
      }
      const report = await withEngine(flags, rankByClass);
      if (flags.json === true) printJson(report);
      else printReport(report);
    });
}

/** What a measurement reports to while it runs. */
interface Watch {
  readonly onProgress: (stage: string, done: number, total: number) => void;
  readonly onSkip: (skipped: { readonly code: string }) => void;
}

type Measurement<T> = (engine: EncodingEngine, flags: EvaluateFlags, watch: Watch) => Promise<T>;

const rankByClass: Measurement<EvaluationReport> = async (engine, flags, watch) =>
  evaluateModel(engine, await findDataFolders(flags.data, flags.gallery), {
    queryCount: flags.queries,
    top: flags.top,
    seed: flags.seed,
    now: () => performance.now(),
    ...watch,
  });

const findImagesAgain: Measurement<InstanceReport> = async (engine, flags, watch) => {
  const data = await findDataFolders(flags.gallery ?? flags.data);
  return measureInstanceRetrieval(engine, data.kind === 'one' ? data.folder : data.gallery, {
    queryCount: flags.queries,
    seed: flags.seed,
    change: STANDARD_CHANGE,
    ...watch,
  });
};

async function withEngine<T extends object>(
  flags: EvaluateFlags,
  measure: Measurement<T>,
): Promise<Versioned<T>> {
  const engine = await openEncodingEngine(flags.model, { threads: flags.threads });
  const progress = openStageProgress({ encode: 'encoding', rank: 'ranking ', query: 'querying' });
  const skippedByCode = new Map<string, number>();
  try {
    const report = await measure(engine, flags, {
      onProgress: progress.show,
      onSkip: ({ code }) => skippedByCode.set(code, (skippedByCode.get(code) ?? 0) + 1),
    });
    return { modelVersion: engine.modelVersion, ...report };
  } finally {
    progress.stop();
    for (const [code, count] of skippedByCode) {
      note(`warning: ${count} ${count === 1 ? 'file' : 'files'} left out: ${code}`);
    }
    await engine.close();
  }
}

function printReport(report: EvaluationReport): void {
  const { mapAtK, mapAtKWorstTies, mapAtKBestTies, precisionAtK, recallAtK } = report;
  const columns = [mapAtK, mapAtKWorstTies, mapAtKBestTies, precisionAtK, recallAtK];
  printTable(
    ['K', 'mAP@K', 'worst ties', 'best ties', 'precision@K', 'recall@K'],
    Object.keys(mapAtK).map((k) => [k, ...columns.map((byK) => fixed(byK[k]))]),
  );
  printTable(
    ['', ''],
    [
      ['queries / gallery', `${report.queries} / ${report.gallery} (seed ${report.seed})`],
      ['code', `${report.bits} bits`],
      ['accuracy of the 10 nearest', fixed(report.accuracy)],
      ['distinct codes', report.distinctCodes],
      ['largest bucket', `${report.largestBucket} images`],
      ['entropy of a bit', `least ${fixed(report.bitEntropy.least)}, mean ${fixed(report.bitEntropy.mean)}`],
      ['least distance of class centres', `${report.leastCentreDistance} bits`],
      ['time per query', `${report.millisPerQuery.toFixed(3)} ms to encode and rank`],
    ],
  );
  const { fine, classes, mapByClass } = report;
  const perClass = classes.map((name, label) => [
    name,
    fixed(mapByClass[label]),
    ...(fine === null ? [] : [fixed(fine.mapByClass[label])]),
  ]);
  const top = Object.keys(mapAtK).at(-1) ?? '';
  const every = ['all', fixed(mapAtK[top]), ...(fine === null ? [] : [fixed(fine.mapAtK[top])])];
  printTable(
    [`mAP@${top}`, 'HAMMING', ...(fine === null ? [] : [`FINE, ${fine.bits} bits`])],
    [...perClass, every],
  );
}

function printInstances(report: InstanceReport): void {
  printTable(
    ['ranking', 'original first', 'among 10', 'mean reciprocal rank'],
    INSTANCE_RANKINGS.map((ranking) => {
      const { firstShare, amongFirst10Share, meanReciprocalRank } = report.rankings[ranking];
      return [ranking, fixed(firstShare), fixed(amongFirst10Share), fixed(meanReciprocalRank)];
    }),
  );
  printTable(
    ['class', 'queries', 'same code', ...INSTANCE_RANKINGS],
    report.byClass.map(({ name, queries, sameCodeShare, firstShare }) => [
      name,
      queries,
      fixed(sameCodeShare),
      ...INSTANCE_RANKINGS.map((ranking) => fixed(firstShare[ranking])),
    ]),
  );
  printTable(
    ['', ''],
    [
      ['queries / gallery', `${report.queries} / ${report.gallery} (seed ${report.seed})`],
      ['code, fine code', `${report.bits} bits, ${report.fineBits} bits`],
      ['changed images of the same code', fixed(report.sameCodeShare)],
    ],
  );
}

function fixed(value: number | undefined): string {
  return (value ?? 0).toFixed(4);
}
