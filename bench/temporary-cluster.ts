import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../src/cli/up/free-port.js';
import { packageRoot } from '../src/runtime/package-root.js';

export interface TemporaryCluster {
  readonly address: string;
  /** As they were when the cluster was ready; a process that dies gets another when it is started again. */
  readonly pids: Readonly<Record<'nats' | 'coordinator' | 'encoder' | 'shard', number[]>>;
  /** Stops every process and removes the data. */
  stop(): Promise<void>;
}

export interface TemporaryClusterOptions {
  /** For `kinscan up`. */
  readonly flags?: readonly string[];
  /** Kept by stop(); without it a temporary folder is used and removed. */
  readonly dataDir?: string;
}

/** `kinscan up` as a user runs it, real processes, on a folder of its own. */
export async function startTemporaryCluster(
  options: TemporaryClusterOptions = {},
): Promise<TemporaryCluster> {
  const dataDir = options.dataDir ?? mkdtempSync(path.join(tmpdir(), 'kinscan-up-'));
  const main = path.join(packageRoot(), 'dist', 'src', 'cli', 'main.js');
  const port = String(await freePort());
  const child = spawn(
    process.execPath,
    [
      main,
      'up',
      '--json',
      '--data-dir',
      dataDir,
      '--port',
      port,
      '--http-port',
      '0',
      ...(options.flags ?? []),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
  };
  const died = once(child, 'exit').then(() => {
    throw new Error('kinscan up ended before it was ready');
  });
  try {
    const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), died])) as [string];
    died.catch(() => undefined);
    const ready = JSON.parse(line) as Pick<TemporaryCluster, 'address' | 'pids'>;
    return { address: ready.address, pids: ready.pids, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
