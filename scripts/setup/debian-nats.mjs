// nats-server from Debian's packages, without root and without touching the system: APT works on folders of
// its own, and the package is unpacked, not installed.
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rewriteDeb822, rewriteOneLine, suiteFor } from './apt-sources.mjs';
import { runCommand, tailOf } from './run-command.mjs';

const NETWORK_TIMEOUT_MS = 5 * 60_000;

const readText = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

/** Every APT source file of the machine, as {text, deb822}. */
function sourceFiles(aptFolder) {
  const parts = join(aptFolder, 'sources.list.d');
  const names = existsSync(parts) ? readdirSync(parts).sort() : [];
  const paths = [join(aptFolder, 'sources.list'), ...names.map((name) => join(parts, name))];
  return paths
    .filter((path) => /\.(list|sources)$/.test(path))
    .map((path) => ({ text: readText(path), deb822: path.endsWith('.sources') }));
}

/**
 * Writes the rewritten sources into `folder` as kinscan.list and kinscan.sources.
 * @returns {boolean} false when the machine has no source of its own release
 */
export function writeSources(folder, change, aptFolder = '/etc/apt') {
  const files = sourceFiles(aptFolder);
  const oneLine = files.filter((file) => !file.deb822).map((file) => rewriteOneLine(file.text, change));
  const deb822 = files.filter((file) => file.deb822).map((file) => rewriteDeb822(file.text, change));
  const texts = { list: oneLine.join(''), sources: deb822.filter((text) => text !== '').join('\n') };
  mkdirSync(folder, { recursive: true });
  for (const [ending, text] of Object.entries(texts)) {
    if (text !== '') writeFileSync(join(folder, `kinscan.${ending}`), text);
  }
  return texts.list !== '' || texts.sources !== '';
}

/**
 * Everything APT would write goes under `folder`. As root APT drops to the user _apt, who cannot enter
 * private folders, so that is switched off.
 */
function aptOptions(folder) {
  const settings = {
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': join(folder, 'sources'),
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Cache::archives': join(folder, 'cache', 'archives'),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    'APT::Sandbox::User': '',
    'Debug::NoLocking': '1',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/**
 * @param {string} folder an empty folder to work in
 * @returns {Promise<{path: string} | {fault: string}>} path: the unpacked binary, version not yet checked
 */
export async function fetchFromDebian(folder) {
  const change = suiteFor(readText('/etc/os-release'));
  if (change === undefined) return { fault: 'this is not Debian or Ubuntu' };
  if (!writeSources(join(folder, 'sources'), change)) {
    return { fault: 'no APT source of this Debian release was found in /etc/apt' };
  }
  for (const name of ['lists/partial', 'cache/archives/partial', 'package', 'root']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (args, cwd) =>
    runCommand('apt-get', [...aptOptions(folder), ...args], { cwd, env, timeoutMs: NETWORK_TIMEOUT_MS });
  const update = await apt(['update'], folder);
  const download = await apt(['download', 'nats-server'], join(folder, 'package'));
  const debs = readdirSync(join(folder, 'package')).filter((name) => name.endsWith('.deb'));
  if (debs.length !== 1) {
    const output = update.ok ? download.output : update.output;
    return { fault: `apt-get could not fetch it from ${change.to}: ${tailOf(output, 2)}` };
  }
  const deb = join(folder, 'package', debs[0]);
  const unpack = await runCommand('dpkg-deb', ['-x', deb, join(folder, 'root')], { env });
  const path = [join(folder, 'root/usr/sbin/nats-server'), join(folder, 'root/usr/bin/nats-server')].find(
    (candidate) => existsSync(candidate),
  );
  if (path === undefined) return { fault: `the package held no nats-server: ${tailOf(unpack.output, 2)}` };
  chmodSync(path, 0o755);
  return { path };
}
