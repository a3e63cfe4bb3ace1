import { Option, type Command } from 'commander';
import { CommandFailed } from '../exit-code.js';
import { systemClock } from '../../runtime/clock.js';
import { findFiles, type FoundFile } from '../ingest/find-files.js';
import { IngestClient } from '../ingest/ingest-client.js';
import { ingestFiles, type IngestReport } from '../ingest/ingest-files.js';
import { readMetadataFile } from '../ingest/metadata-file.js';
import { ingestWaitOf } from '../ingest/ingest-wait.js';
import { addressOption, jsonOption, openCoordinatorClient, wholeNumber } from '../options.js';
import { formatCount, note, printJson } from '../output.js';
import { openProgress } from '../progress.js';

const CONCURRENCY_DEFAULT = 128;
const CONCURRENCY_MAX = 4096;
/** Failures shown to people; the JSON document has all of them. */
const FAILURES_SHOWN_MAX = 20;

interface IngestOptions {
  readonly address: string;
  readonly wait: 'queued' | 'indexed';
  readonly labelFromFolder?: boolean;
  readonly metadata?: string;
  readonly concurrency: number;
  readonly retryFor: number;
  readonly json?: boolean;
}

export function registerIngest(program: Command): void {
  program
    .command('ingest')
    .description('stream image files and folders, recursively, into the index')
    .argument('<path...>', 'files and folders')
    .addOption(
      new Option(
        '--wait <for>',
        'count an image as accepted when it is safely queued, or when it is searchable',
      )
        .choices(['queued', 'indexed'])
        .default('queued'),
    )
    .option('--label-from-folder', "label each image with its folder's name")
    .option(
      '--metadata <file>',
      'JSON lines with what is known of the files: {"path":"a/b.png","label":...,"studyInstanceUid":...}',
    )
    .option(
      '--concurrency <n>',
      'images under way at once',
      wholeNumber(1, CONCURRENCY_MAX),
      CONCURRENCY_DEFAULT,
    )
    .option(
      '--retry-for <seconds>',
      'how long to go on with an image while the cluster is away or full',
      wholeNumber(0, 86_400),
      120,
    )
    .addOption(addressOption())
    .addOption(jsonOption())
    .action(ingest);
}

async function ingest(paths: string[], options: IngestOptions): Promise<void> {
  const metadata = options.metadata === undefined ? undefined : await readMetadataFile(options.metadata);
  const total = await countFiles(paths);
  const grpc = openCoordinatorClient(options.address);
  const client = new IngestClient({
    client: grpc,
    clock: systemClock,
    retryTimeoutMs: options.retryFor * 1000,
  });
  const progress = openProgress(
    'ingesting {bar} {value}/{total} {rate} images/s, {eta_formatted} left, {rejected} rejected',
  );
  const startedMs = performance.now();
  const secondsSoFar = () => (performance.now() - startedMs) / 1000;
  progress.start(total);
  try {
    const report = await ingestFiles(client, findAll(paths), {
      wait: ingestWaitOf(options.wait),
      labelFromFolder: options.labelFromFolder === true,
      ...(metadata && { metadata }),
      concurrency: options.concurrency,
      onProgress: ({ accepted, rejected }) =>
        progress.update(accepted + rejected, {
          rejected,
          rate: Math.round((accepted + rejected) / secondsSoFar()),
        }),
    });
    progress.stop();
    showReport(report, secondsSoFar(), options);
  } finally {
    progress.stop();
    client.close();
    grpc.close();
  }
}

async function countFiles(paths: readonly string[]): Promise<number> {
  let count = 0;
  const files = findAll(paths);
  while ((await files.next()).done !== true) count++;
  return count;
}

async function* findAll(paths: readonly string[]): AsyncGenerator<FoundFile> {
  for (const given of paths) yield* findFiles(given);
}

function showReport(report: IngestReport, seconds: number, options: IngestOptions): void {
  if (options.json) {
    printJson({ ...report, seconds });
  } else {
    for (const { path, code, message } of report.failed.slice(0, FAILURES_SHOWN_MAX))
      note(`${path}: ${code}: ${message}`);
    if (report.failed.length > FAILURES_SHOWN_MAX)
      note(`... and ${report.failed.length - FAILURES_SHOWN_MAX} more`);
    process.stdout.write(
      `${formatCount(report.accepted)} accepted, ${formatCount(report.rejected)} rejected in ${seconds.toFixed(1)} s ` +
        `(${Math.round(report.accepted / seconds)} images/s)\n`,
    );
  }
  if (report.accepted === 0 && report.rejected > 0) throw new CommandFailed();
}
