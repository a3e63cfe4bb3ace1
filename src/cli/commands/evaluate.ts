import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { evaluateModel, type EvaluationReport } from '../../evaluation/evaluate-model.js';
import { findDataFolders } from '../../evaluation/labelled-folder.js';
import { openEncodingEngine } from '../../model/encoding-engine.js';
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
  readonly json?: boolean;
}

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
    .addOption(jsonOption())
    .action(async (flags: EvaluateFlags) => {
      const report = await evaluate(flags);
      if (flags.json === true) printJson(report);
      else printReport(report);
    });
}

async function evaluate(flags: EvaluateFlags): Promise<EvaluationReport & { readonly modelVersion: string }> {
  const data = await findDataFolders(flags.data, flags.gallery);
  const engine = await openEncodingEngine(flags.model, { threads: flags.threads });
  const progress = openStageProgress({ encode: 'encoding', rank: 'ranking ' });
  const skippedByCode = new Map<string, number>();
  try {
    const report = await evaluateModel(engine, data, {
      queryCount: flags.queries,
      top: flags.top,
      seed: flags.seed,
      now: () => performance.now(),
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
}

function fixed(value: number | undefined): string {
  return (value ?? 0).toFixed(4);
}
