import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { KinscanError } from '../../core/errors.js';

/**
 * Takes a data folder for this process. A lock whose process has died is taken over.
 * @returns the release
 * @throws KinscanError INVALID_ARGUMENT where another live process holds it or the folder cannot be written
 */
export function lockDataDir(dataDir: string): () => void {
  const lockFile = path.join(dataDir, 'kinscan.lock');
  try {
    mkdirSync(dataDir, { recursive: true });
    const holder = holderOf(lockFile);
    if (holder !== undefined)
      throw new KinscanError('INVALID_ARGUMENT', `another kinscan (pid ${holder}) runs on ${dataDir}`);
    rmSync(lockFile, { force: true });
    writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
  } catch (cause) {
    if (cause instanceof KinscanError) throw cause;
    throw new KinscanError(
      'INVALID_ARGUMENT',
      `cannot use the data folder ${dataDir}: ${(cause as Error).message}`,
      { cause },
    );
  }
  return () => rmSync(lockFile, { force: true });
}

function holderOf(lockFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(lockFile, 'utf8'));
    if (pid === process.pid) return undefined;
    process.kill(pid, 0);
    // a pid is used again after a restart of the machine: only a node process can be the holder
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('node') ? pid : undefined;
  } catch {
    return undefined;
  }
}
