import { Option, type Command } from 'commander';
import { CODE_DISTRIBUTIONS, type CodeDistribution } from '../../../bench/code-set.js';
import type { Limit } from '../../../bench/search-limits.js';
import { cpus } from 'node:os';
import path from 'node:path';
import { packageRoot } from '../../runtime/package-root.js';
import { jsonOption, wholeNumber } from '../options.js';
import { note, printJson, printTable } from '../output.js';

export function registerBench(program: Command): void {
  const command = program
    .command('bench')
    .description('measure on this machine, against peers where they are installed');
  registerIngestBench(command);
  registerEncodeBench(command);
  registerSearchBench(command);
  registerPathBench(command);
  registerRestartBench(command);
  registerTrainingCopy(command);
}

interface IngestBenchFlags {
  readonly concurrency: number;
  readonly queries: number;
  readonly shards: number;
  readonly encoders: number;
  readonly model?: string;
  readonly json?: boolean;
}

function registerIngestBench(bench: Command): void {
  bench
    .command('ingest')
    .description('stream a folder of images through a fresh local cluster, then query it')
    .argument('<folder>', 'images, for instance MedNIST')
    .option('--concurrency <n>', 'images under way at once', wholeNumber(1, 4096), 128)
    .option('--queries <n>', 'queries of each kind afterwards', wholeNumber(1, 100_000), 500)
    .option('--shards <n>', 'shard servers', wholeNumber(1, 64), 2)
    .option('--encoders <n>', 'encoder nodes', wholeNumber(1, 64), 1)
    .option('--model <dir>', 'a trained model; the default one if absent')
    .addOption(jsonOption())
    .action(async (folder: string, flags: IngestBenchFlags) => {
      const { runIngestBench } = await import('../../../bench/ingest.js');
      const result = await runIngestBench({ data: folder, ...flags });
      show({ ...result, processor: processor() }, flags.json === true);
    });
}

interface EncodeBenchFlags {
  readonly images: number;
  readonly model: string;
  readonly decodeThreads: number;
  readonly inferenceThreads: number;
  readonly batch: number;
  readonly concurrency: number;
  readonly json?: boolean;
}

function registerEncodeBench(bench: Command): void {
  bench
    .command('encode')
    .description(
      'turn a folder of images into codes with the code of the encoder, beside plain ONNX Runtime and TensorFlow.js',
    )
    .argument('<folder>', 'images, for instance MedNIST')
    .option('--images <n>', 'at most so many of them', wholeNumber(1, 1_000_000), 2000)
    .option('--model <dir>', 'a trained model', path.join(packageRoot(), 'models', 'default'))
    .option('--decode-threads <n>', '0: as the encoder chooses', wholeNumber(0, 64), 0)
    .option('--inference-threads <n>', '0: as the encoder chooses', wholeNumber(0, 64), 0)
    .option('--batch <n>', 'images in a batch at most', wholeNumber(1, 1024), 32)
    .option('--concurrency <n>', 'images under way at once', wholeNumber(1, 4096), 256)
    .addOption(jsonOption())
    .action(async (folder: string, flags: EncodeBenchFlags) => {
      const { runEncodeBench } = await import('../../../bench/encode.js');
      const result = await runEncodeBench({ data: folder, ...flags, batchImagesMax: flags.batch });
      show({ ...result, processor: processor() }, flags.json === true);
    });
}

interface SearchBenchFlags {
  readonly n: number;
  readonly bits: number;
  readonly fineBits: number;
  readonly distribution: CodeDistribution;
  readonly partitions: number;
  readonly k: number[];
  readonly threads: number;
  readonly queries: number;
  readonly concurrency: number;
  readonly seed: number;
  readonly faiss: boolean;
  readonly cycles: number;
  readonly growth?: boolean;
  readonly json?: boolean;
}

function registerSearchBench(bench: Command): void {
  bench
    .command('search')
    .description('search made-up codes beside a plain read of the memory, the linear scan and FAISS')
    .option('-n, --n <codes>', 'codes', wholeNumber(1, 100_000_000), 1_000_000)
    .option('--bits <bits>', 'length of a code, a multiple of 8', wholeNumber(8, 256), 64)
    .option('--fine-bits <bits>', 'length of a fine code; 0: ranking HAMMING', wholeNumber(0, 512), 0)
    .addOption(
      new Option('--distribution <name>', 'how the codes are spread')
        .choices(CODE_DISTRIBUTIONS)
        .default('uniform'),
    )
    .option('--partitions <n>', 'a power of two', wholeNumber(1, 4096), 16)
    .option('-k <list>', 'results wanted, comma-separated', listOfK, [10, 100])
    .option('--threads <n>', 'search threads', wholeNumber(1, 64), 1)
    .option('--queries <n>', 'queries of each kind', wholeNumber(1, 1_000_000), 200)
    .option('--concurrency <n>', 'queries under way at once for queries per second', wholeNumber(1, 1024), 16)
    .option('--seed <n>', 'of codes and queries', wholeNumber(0, 2 ** 32 - 1), 1)
    .option('--no-faiss', 'leave FAISS out, where it is installed')
    .option('--cycles <n>', 'times to give every image another code first', wholeNumber(0, 100), 0)
    .option('--growth', 'the index alone on a tenth of the codes, all, and five times as many')
    .addOption(jsonOption())
    .action(async ({ growth, json, ...flags }: SearchBenchFlags) => {
      const { n: rows, bits: codeBits, fineBits: fineCodeBits, k: ks, ...others } = flags;
      const options = { ...others, rows, codeBits, fineCodeBits, ks, onStage: note };
      const { limits, ...figures } =
        growth === true
          ? await (await import('../../../bench/search-growth.js')).runSearchGrowth(options)
          : await (await import('../../../bench/search.js')).runSearchBench(options);
      show({ ...figures, ...(json === true ? { limits } : {}), processor: processor() }, json === true);
      if (json !== true) showLimits(limits);
    });
}

function showLimits(limits: readonly Limit[]): void {
  printTable(
    ['limit', 'asked', 'seen', 'holds'],
    limits.map(({ what, asked, seen, holds }) => [what, asked, seen, holds ? 'yes' : 'NO']),
  );
}

interface PathBenchFlags extends Omit<
  SearchBenchFlags,
  'k' | 'threads' | 'queries' | 'concurrency' | 'faiss'
> {
  readonly shards: number;
  readonly k: number;
  readonly clients: number;
  readonly recordsPerSecond: number;
  readonly seconds: number;
  readonly dataDir?: string;
}

function registerPathBench(bench: Command): void {
  bench
    .command('path')
    .description(
      'search a made-up archive over gRPC: client, coordinator and shard servers, all real processes',
    )
    .option('-n, --n <images>', 'images in the archive', wholeNumber(1, 100_000_000), 10_000_000)
    .option('--bits <bits>', 'length of a code, a multiple of 8', wholeNumber(8, 256), 64)
    .option('--fine-bits <bits>', 'length of a fine code; 0: none', wholeNumber(0, 512), 256)
    .addOption(
      new Option('--distribution <name>', 'how the codes are spread')
        .choices(CODE_DISTRIBUTIONS)
        .default('clustered'),
    )
    .option('--partitions <n>', 'a power of two', wholeNumber(1, 4096), 16)
    .option('--shards <n>', 'shard servers', wholeNumber(1, 64), 2)
    .option('-k <n>', 'results wanted', wholeNumber(1, 10_000), 10)
    .option('--clients <n>', 'clients where many ask at once', wholeNumber(1, 1024), 16)
    .option('--records-per-second <n>', 'records that stream in', wholeNumber(1, 100_000), 1_000)
    .option('--seconds <n>', 'length of each measurement', wholeNumber(1, 3_600), 10)
    .option('--seed <n>', 'of codes and queries', wholeNumber(0, 2 ** 32 - 1), 1)
    .option('--data-dir <dir>', 'kept; filled where it is not there. A temporary folder if absent')
    .addOption(jsonOption())
    .action(async (flags: PathBenchFlags) => {
      const { runPathBench } = await import('../../../bench/path.js');
      const { n: images, bits: codeBits, fineBits: fineCodeBits, ...others } = flags;
      const result = await runPathBench({ ...others, images, codeBits, fineCodeBits, onStage: note });
      show({ ...result, processor: processor() }, flags.json === true);
    });
}

interface RestartBenchFlags {
  readonly n: number;
  readonly bits: number;
  readonly fineBits: number;
  readonly partitions: number;
  readonly recordBytes: number;
  readonly dataDir?: string;
  readonly rounds: number;
  readonly seed: number;
  readonly json?: boolean;
}

function registerRestartBench(bench: Command): void {
  bench
    .command('restart')
    .description(
      'fill a shard server, kill it, and time its way back to searchable beside `cat` of the same bytes',
    )
    .option('-n, --n <images>', 'images', wholeNumber(1, 100_000_000), 1_000_000)
    .option('--bits <bits>', 'length of a code, a multiple of 8', wholeNumber(8, 256), 64)
    .option('--fine-bits <bits>', 'length of a fine code', wholeNumber(0, 512), 256)
    .option('--partitions <n>', 'a power of two', wholeNumber(1, 4096), 16)
    .option(
      '--record-bytes <n>',
      'length of the record that is stored of each image',
      wholeNumber(1, 100_000),
      200,
    )
    .option('--rounds <n>', 'kills and restarts', wholeNumber(1, 100), 3)
    .option('--data-dir <dir>', 'kept; filled where it is not there. A temporary folder if absent')
    .option('--seed <n>', 'of the codes', wholeNumber(0, 2 ** 32 - 1), 1)
    .addOption(jsonOption())
    .action(async (flags: RestartBenchFlags) => {
      const { runRestartBench } = await import('../../../bench/shard-restart.js');
      const { n: rows, bits: codeBits, fineBits: fineCodeBits, ...others } = flags;
      const result = await runRestartBench({ ...others, rows, codeBits, fineCodeBits, onStage: note });
      show({ ...result, processor: processor() }, flags.json === true);
    });
}

interface TrainingCopyFlags {
  readonly data: string;
  readonly out: string;
  readonly queries: number;
  readonly database?: number;
  readonly seed: number;
  readonly seeds: number;
  readonly json?: boolean;
}

function registerTrainingCopy(bench: Command): void {
  bench
    .command('training-copy')
    .description(
      'write what bench/training-copy.py reads: it trains many seeds of the experiments on a GPU, in PyTorch',
    )
    .requiredOption('--data <dir>', 'folders <class>/<image>, or train/ and test/ of them')
    .requiredOption('--out <dir>', 'folder for the files')
    .option('--queries <n>', 'images that are queries', wholeNumber(1, 1_000_000), 1_000)
    .option('--database <n>', 'gallery and queries together; all if absent', wholeNumber(2, 10_000_000))
    .option('--seed <n>', 'of the split', wholeNumber(0, 2 ** 32 - 1), 1)
    .option('--seeds <n>', 'networks of each kind that will be trained', wholeNumber(1, 1_000), 12)
    .addOption(jsonOption())
    .action(async ({ json, ...flags }: TrainingCopyFlags) => {
      const { writeTrainingCopy } = await import('../../../bench/training-copy.js');
      show(await writeTrainingCopy(flags), json === true);
    });
}

function listOfK(text: string): number[] {
  return text.split(',').map(wholeNumber(1, 10_000));
}

function show(result: object, json: boolean): void {
  if (json) return printJson(result);
  printTable(
    ['measure', 'value'],
    Object.entries(result).map(([measure, value]) => [
      measure,
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
  );
}

/** The hardware that a figure belongs to. */
function processor(): string {
  return `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`;
}
