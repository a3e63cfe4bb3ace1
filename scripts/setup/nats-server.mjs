// A nats-server of at least 2.10: NATS_SERVER, then PATH, then our cache, then Debian's packages.
// What is found is recorded in dist/nats-server.json, which src/runtime/nats-server-path.ts reads.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { fetchFromDebian } from './debian-nats.mjs';
import { REPOSITORY, readJson, writeJson } from './files.mjs';
import { SetupError, say, step } from './progress.mjs';

const RECORD = join(REPOSITORY, 'dist', 'nats-server.json');
const VERSION_TIMEOUT_MS = 10_000;
const HOW_TO =
  'install nats-server 2.10 or newer (https://github.com/nats-io/nats-server/releases) and put it on PATH, or set NATS_SERVER to its path';

/** "nats-server: v2.10.27" -> "2.10.27"; undefined when the file is no nats-server that runs here. */
export function versionOf(path) {
  const { stdout, status } = spawnSync(path, ['--version'], {
    encoding: 'utf8',
    timeout: VERSION_TIMEOUT_MS,
  });
  return status === 0 ? /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] : undefined;
}

export function isRecentEnough(version) {
  if (version === undefined) return false;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 10);
}

function usable(path) {
  const version = versionOf(path);
  return isRecentEnough(version) ? { path, version } : undefined;
}

function fromPath(environment) {
  for (const folder of (environment['PATH'] ?? '').split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const found = usable(join(folder, 'nats-server'));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where downloads are kept: the user's cache, or the checkout's where that cannot be written. */
export function cacheFolders(environment = process.env) {
  const own = join(REPOSITORY, '.cache');
  const xdg = environment['XDG_CACHE_HOME'];
  const home = environment['HOME'] ?? homedir();
  if (xdg !== undefined && isAbsolute(xdg)) return [join(xdg, 'kinscan'), own];
  return isAbsolute(home) ? [join(home, '.cache', 'kinscan'), own] : [own];
}

function fromCache(environment) {
  for (const folder of cacheFolders(environment)) {
    const found = usable(join(folder, 'nats-server'));
    if (found !== undefined) return found;
  }
  return undefined;
}

function isWritable(folder) {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function download(environment) {
  const cache = cacheFolders(environment).find(isWritable);
  if (cache === undefined) throw new SetupError('no folder to keep nats-server in can be written');
  const work = mkdtempSync(join(tmpdir(), 'kinscan-nats-'));
  try {
    const fetched = await fetchFromDebian(work);
    if (fetched.fault !== undefined) throw new SetupError(`no nats-server: ${fetched.fault}; ${HOW_TO}`);
    const version = versionOf(fetched.path);
    if (!isRecentEnough(version)) {
      throw new SetupError(
        `no nats-server: the packages offer ${version ?? 'one that does not run'}; ${HOW_TO}`,
      );
    }
    const path = join(cache, 'nats-server');
    // copied beside its place and moved over it, so that nobody sees half a file; /tmp may be another disk
    const part = `${path}.${process.pid}.part`;
    copyFileSync(fetched.path, part);
    renameSync(part, path);
    for (const name of readdirSync(cache))
      if (name.endsWith('.part')) rmSync(join(cache, name), { force: true });
    return { path, version };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The first usable one without downloading, or undefined. */
export function lookUp(environment) {
  const named = environment['NATS_SERVER'];
  if (named === undefined || named === '') return fromPath(environment) ?? fromCache(environment);
  const found = usable(named);
  if (found === undefined) {
    throw new SetupError(`NATS_SERVER is ${named}, which is no nats-server of version 2.10 or newer`);
  }
  return found;
}

function record({ path, version }) {
  const known = readJson(RECORD);
  if (known?.path !== path || known?.version !== version) writeJson(RECORD, { path, version });
}

/** Whether the recorded nats-server still runs and nothing that goes before it has appeared. */
export function natsServerIsCurrent(environment = process.env) {
  const found = lookUp(environment);
  return found !== undefined && readJson(RECORD)?.path === found.path;
}

export async function installNatsServer(environment = process.env) {
  let found = lookUp(environment);
  if (found === undefined) {
    found = await step('fetching nats-server from the Debian packages', () => download(environment));
    say(`nats-server ${found.version} is in ${found.path}`);
  }
  record(found);
}
