// The npm packages: `npm ci`, only when what is installed is not what package-lock.json asks for.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY, hashFiles, readJson, writeJson } from './files.mjs';
import { SetupError, step } from './progress.mjs';
import { runCommand, tailOf } from './run-command.mjs';

const ERROR_LINES_MAX = 6;
const STAMP = join(REPOSITORY, 'node_modules', '.kinscan-setup.json');

function wantedStamp() {
  const [major] = process.versions.node.split('.');
  return {
    lock: hashFiles([join(REPOSITORY, 'package-lock.json')]),
    node: major,
    platform: `${process.platform}-${process.arch}`,
  };
}

function stampIsCurrent() {
  const stamp = readJson(STAMP);
  const wanted = wantedStamp();
  return (
    stamp !== undefined &&
    stamp.lock === wanted.lock &&
    stamp.node === wanted.node &&
    stamp.platform === wanted.platform
  );
}

function fits(list, value) {
  return list === undefined || list.includes(value);
}

/**
 * Whether npm's own record of node_modules holds every package of the lock file that this platform needs,
 * as after somebody's own `npm ci` or `npm install`: then there is nothing to do.
 */
export function agreesWithLock(lock, installed, platform = process.platform, arch = process.arch) {
  if (lock?.packages === undefined || installed?.packages === undefined) return false;
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (path === '' || !fits(wanted.os, platform) || !fits(wanted.cpu, arch)) return true;
    if (wanted.optional && wanted.libc !== undefined) return true; // npm picks glibc or musl
    const found = installed.packages[path];
    return found === undefined
      ? wanted.optional === true && wanted.os === undefined
      : found.version === wanted.version;
  });
}

function installedByHand() {
  const lock = readJson(join(REPOSITORY, 'package-lock.json'));
  const installed = readJson(join(REPOSITORY, 'node_modules', '.package-lock.json'));
  return agreesWithLock(lock, installed);
}

/** npm as it runs us, so that the same npm and its settings are used; `npm` from PATH otherwise. */
export function npmCommand() {
  const npmCli = process.env['npm_execpath'];
  const ours = npmCli !== undefined && npmCli.endsWith('npm-cli.js') && existsSync(npmCli);
  return ours ? { command: process.execPath, prefix: [npmCli] } : { command: 'npm', prefix: [] };
}

/** npm puts its reason first and its help last; the lines it marks as errors, the first of them. */
function faultOf(output) {
  const marked = output.split('\n').filter((line) => /^npm (error|ERR!) \S/.test(line));
  return marked.length === 0 ? tailOf(output) : marked.slice(0, ERROR_LINES_MAX).join('\n');
}

export function packagesAreCurrent() {
  return stampIsCurrent();
}

/**
 * Installs without install scripts: no package of ours needs one (native parts ship inside the packages,
 * or in optional packages per platform), and tfjs-node-gpu's would download 400 MB; see gpu.mjs.
 * @param {{force?: boolean}} [options] force: whatever is there already
 */
export async function installPackages({ force = false } = {}) {
  if (stampIsCurrent() && !force) return;
  if (force || !installedByHand()) {
    await step('installing the packages (npm ci)', async () => {
      const { command, prefix } = npmCommand();
      const args = [
        'ci',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--include=dev',
        '--include=optional',
      ];
      const { ok, output } = await runCommand(command, [...prefix, ...args], { cwd: REPOSITORY });
      if (!ok) throw new SetupError('npm ci did not succeed (see above)', faultOf(output));
    });
  }
  writeJson(STAMP, wantedStamp());
}
