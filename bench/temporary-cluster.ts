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
  readonly pids: Readonly<Record<string, number[]>>;
  /** Stops every process and removes the data. */
  stop(): Promise<void>;
}

/** `kinscan up` as a user runs it, real processes, on a folder of its own. */
export async function startTemporaryCluster(flags: readonly string[] = []): Promise<TemporaryCluster> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'kinscan-bench-'));
  const main = path.join(packageRoot(), 'dist', 'src', 'cli', 'main.js');
  const port = String(await freePort());
  const child = spawn(
    process.execPath,
    [main, 'up', '--json', '--data-dir', dataDir, '--port', port, '--http-port', '0', ...flags],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(dataDir, { recursive: true, force: true });
  };
  const died = once(child, 'exit').then(() => {
    throw new Error('kinscan up ended before it was ready');
  });
  try {
    const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), died])) as [string];
    died.catch(() => undefined);
    const ready = JSON.parse(line) as { address: string; pids: Record<string, number[]> };
    return { address: ready.address, pids: ready.pids, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
