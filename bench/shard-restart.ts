import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../src/cli/up/free-port.js';
import { startEmbeddedNats } from '../src/cli/up/embedded-nats.js';
import { unpackHitList } from '../src/core/hit-list.js';
import { spreadPartitions } from '../src/core/placement.js';
import type { ShardSearchResponse__Output } from '../src/generated/kinscan/v1/ShardSearchResponse.js';
import { openClusterState, type ModelSettings } from '../src/runtime/cluster-state.js';
import { openGrpcClient } from '../src/runtime/grpc-client.js';
import { createLog } from '../src/runtime/log.js';
import { connectNats } from '../src/runtime/nats.js';
import { packageRoot } from '../src/runtime/package-root.js';
import { ensureStreams } from '../src/runtime/streams.js';
import { fillStore } from './fill-store.js';
import { isArchiveKept, markKept } from './kept-archive.js';
import { percentile } from './percentile.js';
import { processUsage } from './process-usage.js';

export interface RestartBenchOptions {
  readonly rows: number;
  readonly codeBits: number;
  readonly fineCodeBits: number;
  readonly partitions: number;
  readonly recordBytes: number;
  readonly rounds: number;
  readonly seed: number;
  /** Kept; filled where it is not there, else measured as it is, if it was made from these options. @default a temporary folder, removed afterwards */
  readonly dataDir?: string;
  readonly onStage?: (stage: string) => void;
}

export interface RestartBenchResult {
  readonly images: number;
  /** Code, tie key and fine code of all images. */
  readonly bytes: number;
  /** 0 where the folder was filled already. */
  readonly fillSeconds: number;
  readonly storeMib: number;
  /** Medians. `cold`: the files' pages were dropped from the page cache before. */
  readonly warm: RestartFigures;
  readonly cold: RestartFigures;
  /** Partitions read from blobs, and from tie entries, in all restarts. */
  readonly fromBlobs: number;
  readonly fromTieEntries: number;
  readonly peakMemoryMib: number;
}

export interface RestartFigures {
  /** `cat` of a file with as many bytes. */
  readonly catSeconds: number;
  /** From the start of the killed process to /readyz. */
  readonly readySeconds: number;
  /** Twice the time of cat and two seconds. */
  readonly limitSeconds: number;
  /** One search for ten images right after that, over gRPC. */
  readonly firstSearchMs: number;
}

interface Round {
  readonly catSeconds: number;
  readonly readySeconds: number;
  readonly firstSearchMs: number;
}

const SHARD_ID = 'bench';
const POLL_MS = 20;

/** Kills a real shard server with SIGKILL and times its restart, beside a plain read of as many bytes. */
export async function runRestartBench(options: RestartBenchOptions): Promise<RestartBenchResult> {
  const stage = options.onStage ?? (() => undefined);
  const folder = mkdtempSync(path.join(tmpdir(), 'kinscan-restart-'));
  const dataDir = options.dataDir ?? path.join(folder, 'shard');
  const { rows, codeBits, fineCodeBits, partitions, recordBytes, rounds, seed } = options;
  const model = { modelVersion: 'b'.repeat(64), codeBits, fineCodeBits };
  const bytes = rows * (codeBits / 8 + 8 + fineCodeBits / 8);
  const plainFile = path.join(folder, 'plain');
  const log = createLog('bench', 'bench', 'silent');
  const nats = startEmbeddedNats(folder, await freePort(), log);
  const shard = new BenchShard(nats.servers, dataDir);
  try {
    const begin = performance.now();
    const settings = { images: rows, codeBits, fineCodeBits, partitions, recordBytes, seed };
    const isFilled = isArchiveKept(dataDir, settings);
    if (!isFilled) {
      stage('filling the store');
      await fillStore({ ...options, dataDir, model });
      markKept(dataDir, settings);
    }
    const fillSeconds = isFilled ? 0 : (performance.now() - begin) / 1000;
    writeFileSync(plainFile, Buffer.alloc(bytes, 1));
    spawnSync('sync');
    await publishSettings(nats.servers, partitions, model);
    const namesIn = () => readdirSync(dataDir, { recursive: true, encoding: 'utf8' });
    const files = () => [plainFile, ...namesIn().map((name) => path.join(dataDir, name))];
    stage('restarting');
    await shard.start();
    const [warm, cold]: [Round[], Round[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      warm.push(await measureRound(shard, plainFile, model, partitions));
      await shard.kill();
      dropPages(files());
      cold.push(await measureRound(shard, plainFile, model, partitions));
    }
    return {
      images: rows,
      bytes,
      fillSeconds,
      storeMib: storeMib(dataDir),
      warm: figures(warm),
      cold: figures(cold),
      ...shard.loads,
      peakMemoryMib: shard.peakMemoryMib,
    };
  } finally {
    await shard.kill();
    await nats.child.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureRound(
  shard: BenchShard,
  plainFile: string,
  model: ModelSettings,
  partitions: number,
): Promise<Round> {
  await shard.kill();
  const begin = performance.now();
  spawnSync('sh', ['-c', `cat '${plainFile}' > /dev/null`]);
  const catSeconds = (performance.now() - begin) / 1000;
  const readySeconds = await shard.start();
  return { catSeconds, readySeconds, firstSearchMs: await shard.search(model, partitions) };
}

function figures(rounds: readonly Round[]): RestartFigures {
  const median = (of: (round: Round) => number) => percentile(rounds.map(of), 50);
  const catSeconds = median((round) => round.catSeconds);
  return {
    catSeconds,
    readySeconds: median((round) => round.readySeconds),
    limitSeconds: 2 * catSeconds + 2,
    firstSearchMs: median((round) => round.firstSearchMs),
  };
}

/** Takes files out of the page cache (dd's `nocache` asks the kernel to, by posix_fadvise). */
function dropPages(files: readonly string[]): void {
  spawnSync('sync');
  for (const file of files) spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
}

function storeMib(dataDir: string): number {
  return Number(spawnSync('du', ['-sm', dataDir], { encoding: 'utf8' }).stdout.split('\t')[0]);
}

async function publishSettings(servers: string, partitionCount: number, model: ModelSettings): Promise<void> {
  const log = createLog('bench', 'bench', 'silent');
  const connection = await connectNats({ servers, name: 'bench', log });
  try {
    await ensureStreams(connection);
    const state = await openClusterState(connection, log);
    await state.createOrRead('collection', { partitionCount });
    await state.createOrRead('model', model);
    await state.createOrRead('placement', spreadPartitions([SHARD_ID], partitionCount));
    state.close();
  } finally {
    await connection.close();
  }
}

/** A `kinscan shard` process. */
class BenchShard {
  readonly loads = { fromBlobs: 0, fromTieEntries: 0 };
  peakMemoryMib = 0;
  readonly #servers: string;
  readonly #dataDir: string;
  #child: ChildProcess | undefined;
  #port = 0;

  constructor(servers: string, dataDir: string) {
    this.#servers = servers;
    this.#dataDir = dataDir;
  }

  /** @returns seconds until /readyz says so */
  async start(): Promise<number> {
    const [port, httpPort] = [await freePort(), await freePort()];
    this.#port = port;
    const main = path.join(packageRoot(), 'dist', 'src', 'cli', 'main.js');
    const flags = [
      '--nats',
      this.#servers,
      '--data-dir',
      this.#dataDir,
      '--id',
      SHARD_ID,
      '--log-level',
      'warn',
    ];
    const ports = ['--port', String(port), '--http-port', String(httpPort)];
    const begin = performance.now();
    const child = spawn(process.execPath, [main, 'shard', ...flags, ...ports], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    this.#child = child;
    while (!(await isReady(httpPort))) {
      if (child.exitCode !== null) throw new Error(`the shard server ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    const seconds = (performance.now() - begin) / 1000;
    const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    const loaded = (source: string) =>
      Number(
        new RegExp(`^kinscan_shard_loaded_partitions_total{.*source="${source}".*} (\\d+)`, 'm').exec(
          metrics,
        )?.[1] ?? 0,
      );
    this.loads.fromBlobs += loaded('blobs');
    this.loads.fromTieEntries += loaded('tieEntries');
    return seconds;
  }

  /** @returns milliseconds of one search for ten images */
  async search({ modelVersion, codeBits, fineCodeBits }: ModelSettings, partitions: number): Promise<number> {
    const address = `127.0.0.1:${this.#port}`;
    const client = openGrpcClient({
      ...{ address, service: 'Shard', messageBytesMax: 1 << 24, unavailable: 'SHARD_UNAVAILABLE' },
    });
    const request = {
      code: { bits: Buffer.alloc(codeBits / 8), codeBits },
      fineCode: { bits: Buffer.alloc(fineCodeBits / 8), codeBits: fineCodeBits },
      ...{
        k: 10,
        placementEpoch: 1,
        modelVersion,
        ranking: fineCodeBits > 0 ? 'RANKING_FINE' : 'RANKING_HAMMING',
      },
      partitions: Array.from({ length: partitions }, (_, partition) => partition),
    };
    const begin = performance.now();
    const { hits } = await client.call<object, ShardSearchResponse__Output>('Search', request, {
      timeoutMs: 30_000,
    });
    const ms = performance.now() - begin;
    client.close();
    if (unpackHitList(hits).count === 0) throw new Error('a restarted shard server found nothing');
    return ms;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null) return;
    this.peakMemoryMib = Math.max(this.peakMemoryMib, processUsage(child.pid).peakMemoryMib);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

async function isReady(httpPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${httpPort}/readyz`)).ok;
  } catch {
    return false;
  }
}
