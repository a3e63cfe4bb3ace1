import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { KinscanError } from '../core/errors.js';
import { packageRoot } from './package-root.js';

const VERSION_TIMEOUT_MS = 10_000;

/** Runs `path --version`; false for anything but a nats-server of 2.10 or newer. */
function isUsable(path: string): boolean {
  const { stdout, status } = spawnSync(path, ['--version'], {
    encoding: 'utf8',
    timeout: VERSION_TIMEOUT_MS,
  });
  const match = status === 0 ? /v(\d+)\.(\d+)\./.exec(stdout) : null;
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > 2 || (major === 2 && minor >= 10);
}

/** What set-up (scripts/setup/nats-server.mjs) found or fetched, or undefined before the first set-up. */
function recordedBySetUp(recordPath: string): string | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(recordPath, 'utf8'));
    return record !== null &&
      typeof record === 'object' &&
      'path' in record &&
      typeof record.path === 'string'
      ? record.path
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The path of a nats-server of version 2.10 or newer: the variable NATS_SERVER, then PATH, then what set-up
 * recorded. Looks only; `npm run setup` is what downloads one.
 *
 * @param environment where NATS_SERVER and PATH are read from
 * @param recordPath the file set-up writes
 * @throws KinscanError NATS_SERVER_NOT_FOUND
 */
export function findNatsServer(
  environment: Readonly<Record<string, string | undefined>>,
  recordPath = join(packageRoot(), 'dist', 'nats-server.json'),
): string {
  const named = environment['NATS_SERVER'] ?? '';
  if (named !== '') {
    if (isUsable(named)) return named;
    throw new KinscanError(
      'NATS_SERVER_NOT_FOUND',
      `NATS_SERVER is ${named}, which is no nats-server 2.10 or newer`,
    );
  }
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  const recorded = recordedBySetUp(recordPath);
  const candidates = [
    ...folders.map((folder) => join(folder, 'nats-server')),
    ...(recorded ? [recorded] : []),
  ];
  const found = candidates.find((candidate) => isUsable(candidate));
  if (found !== undefined) return found;
  throw new KinscanError(
    'NATS_SERVER_NOT_FOUND',
    'no nats-server 2.10 or newer was found; run npm run setup',
  );
}
