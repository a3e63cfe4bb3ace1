import type { Command } from 'commander';
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '../../runtime/clock.js';
import type { GrpcClient } from '../../runtime/grpc-client.js';
import { createLog, type Logger } from '../../runtime/log.js';
import { packageRoot } from '../../runtime/package-root.js';
import { UsageError } from '../exit-code.js';
import { IngestClient } from '../ingest/ingest-client.js';
import { jsonOption, openCoordinatorClient, wholeNumber } from '../options.js';
import { note, printJson } from '../output.js';
import { lockDataDir } from '../up/data-dir-lock.js';
import { FolderWatcher } from '../up/folder-watcher.js';
import { LocalCluster } from '../up/local-cluster.js';
import { runSample } from '../up/sample-run.js';
import { WatchJournal } from '../up/watch-journal.js';

interface UpOptions {
  readonly dataDir: string;
  readonly model: string;
  readonly port: number;
  readonly httpPort: number;
  readonly shards: number;
  readonly encoders: number;
  readonly replicas: number;
  readonly watch?: string;
  readonly sample?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** How long an image of the sample or the watched folder is tried for. */
const RETRY_TIMEOUT_MS = 600_000;

export function registerUp(program: Command): void {
  program
    .command('up')
    .description('run everything on this machine: nats-server, coordinator, encoders and shard servers')
    .option('--data-dir <dir>', 'where everything is kept', './data')
    .option('--model <dir>', 'a trained model', path.join(packageRoot(), 'models', 'default'))
    .option('--port <n>', 'gRPC port of the coordinator', wholeNumber(1, 65_535), 7700)
    .option(
      '--http-port <n>',
      'port of /metrics, /livez and /readyz; 0 for none',
      wholeNumber(0, 65_535),
      7780,
    )
    .option('--shards <n>', 'shard servers', wholeNumber(1, 64), 2)
    .option('--encoders <n>', 'encoder nodes', wholeNumber(1, 64), 1)
    .option('--replicas <n>', 'copies of each partition; only 1 so far', wholeNumber(1, 1), 1)
    .option('--watch <dir>', 'keep the index in step with a folder: new, changed and removed files')
    .option('--sample', 'draw and index a sample archive where the index is empty, and show a query')
    .option('--verbose', 'show the log of every process at level info')
    .addOption(jsonOption())
    .action(up);
}

async function up(options: UpOptions): Promise<void> {
  const dataDir = path.resolve(options.dataDir);
  const watched = options.watch === undefined ? undefined : existingFolder(options.watch);
  const log = createLog('up', 'up', options.verbose ? 'info' : 'warn');
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const unlock = lockDataDir(dataDir);
  try {
    const cluster = await LocalCluster.start({
      ...options,
      dataDir,
      modelDir: path.resolve(options.model),
      childLogLevel: options.verbose ? 'info' : 'warn',
      log,
      clock: systemClock,
    });
    try {
      note('starting nats-server, coordinator, encoder and shard servers ...');
      await cluster.waitUntilReady(stop.signal);
      if (!stop.signal.aborted) await serve(cluster, { ...options, dataDir, watched, log }, stop.signal);
    } finally {
      note('stopping ...');
      await cluster.stop();
    }
  } finally {
    unlock();
  }
}

interface ServeOptions extends UpOptions {
  readonly watched: string | undefined;
  readonly log: Logger;
}

/** From `ready` until the signal to stop. */
async function serve(cluster: LocalCluster, options: ServeOptions, stop: AbortSignal): Promise<void> {
  const coordinator = openCoordinatorClient(cluster.address);
  const ingest = new IngestClient({
    client: coordinator,
    clock: systemClock,
    retryTimeoutMs: RETRY_TIMEOUT_MS,
  });
  let watcher: FolderWatcher | undefined;
  try {
    if (options.sample) {
      await runSample({
        ...options,
        address: cluster.address,
        coordinator,
        ingest,
        show: options.json !== true,
      });
    }
    announceReady(cluster, options);
    if (options.watched !== undefined) watcher = watchFolder(options.watched, options, ingest, coordinator);
    if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve));
  } finally {
    await watcher?.close();
    ingest.close();
    coordinator.close();
  }
}

function announceReady(cluster: LocalCluster, { httpPort, json }: ServeOptions): void {
  const http = httpPort === 0 ? null : `127.0.0.1:${httpPort}`;
  if (json) printJson({ ready: true, address: cluster.address, http, pids: cluster.pids() });
  else
    process.stdout.write(
      `ready: gRPC on ${cluster.address}${http === null ? '' : `, metrics on http://${http}/metrics`}; Ctrl-C stops\n`,
    );
}

function watchFolder(
  folder: string,
  options: ServeOptions,
  ingest: IngestClient,
  coordinator: GrpcClient,
): FolderWatcher {
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  const journal = new WatchJournal(path.join(options.dataDir, 'watch', `${name}.json`));
  return new FolderWatcher({ folder, journal, ingest, coordinator, log: options.log });
}

function existingFolder(given: string): string {
  const folder = path.resolve(given);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`--watch: there is no folder ${given}`);
  return folder;
}
