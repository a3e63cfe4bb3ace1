#!/usr/bin/env node
// Completes package-lock.json with the optional packages of other platforms.
//
// npm leaves an optional package out of the lock when the registry in use does not hand it out (a mirror that
// carries Linux only, for instance), and `npm ci` then refuses the lock on every machine. Their exact versions
// stand in the packages that ask for them and their platforms in their names, so they can be put back:
// npm ci skips those of other platforms without fetching them. Run after npm install: npm run lock:complete
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { REPOSITORY } from './setup/files.mjs';

const LOCK = join(REPOSITORY, 'package-lock.json');
const SYSTEMS = ['darwin', 'linux', 'win32', 'android', 'freebsd', 'openbsd', 'openharmony', 'aix', 'sunos'];
const PROCESSORS = [
  [/\b(arm64|aarch64)\b/, 'arm64'],
  [/\b(x64|amd64)\b/, 'x64'],
  [/\b(arm|armv[67]l?)\b/, 'arm'],
  [/\b(ia32|x86)\b/, 'ia32'],
  [/\bloong64\b/, 'loong64'],
  [/\bppc64(le)?\b/, 'ppc64'],
  [/\briscv64\b/, 'riscv64'],
  [/\bs390x\b/, 's390x'],
];

/** {os, cpu, libc?} as npm writes them, or undefined when the name does not tell. */
export function platformOf(name) {
  const os = SYSTEMS.find((system) => new RegExp(`\\b${system}\\b`).test(name));
  const cpu = PROCESSORS.find(([pattern]) => pattern.test(name))?.[1];
  if (os === undefined || cpu === undefined) return undefined;
  if (os !== 'linux') return { os: [os], cpu: [cpu] };
  const libc = /musl/.test(name) ? ['musl'] : /gnu/.test(name) ? ['glibc'] : undefined;
  return { os: [os], cpu: [cpu], ...(libc && { libc }) };
}

/** Optional dependencies that a package of the lock asks for and that stand nowhere in it, as [name, version, dev]. */
export function missingOptionals(lock) {
  const present = new Set(Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, '')));
  return Object.values(lock.packages).flatMap((entry) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => !present.has(name))
      .map(([name, version]) => [name, version, entry.dev === true]),
  );
}

function complete() {
  const lock = JSON.parse(readFileSync(LOCK, 'utf8'));
  const added = [];
  for (const [name, version, dev] of missingOptionals(lock)) {
    const platform = platformOf(name);
    if (platform === undefined || !/^\d+\.\d+\.\d+/.test(version)) continue;
    lock.packages[`node_modules/${name}`] = { version, ...(dev && { dev }), optional: true, ...platform };
    added.push(name);
  }
  lock.packages = Object.fromEntries(
    Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
  );
  writeFileSync(LOCK, `${JSON.stringify(lock, null, 2)}\n`);
  process.stdout.write(`package-lock.json: ${added.length} optional packages added\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) complete();
