// The build: types from the proto, WASM kernels, then tsc; each only when its inputs have changed.
import { existsSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { PROTO, generateProtoTypes } from '../generate-proto-types.mjs';
import { REPOSITORY, hashFiles, listFiles, readJson, writeJson } from './files.mjs';
import { SetupError, step } from './progress.mjs';
import { runCommand, tailOf } from './run-command.mjs';

const KERNEL_SOURCES = join(REPOSITORY, 'src', 'shard', 'kernel', 'assembly');
const DIST = join(REPOSITORY, 'dist');
const STAMP = join(DIST, '.build-stamp.json');
const COMPILED = ['src', 'test', 'bench'];

const inRepository = (path) => join(REPOSITORY, path);

function sourcesOf(folder) {
  return listFiles(inRepository(folder), '.ts').filter((path) => !path.startsWith(KERNEL_SOURCES));
}

function wantedStamp() {
  const lock = inRepository('package-lock.json');
  return {
    proto: hashFiles([...listFiles(PROTO, '.proto'), inRepository('scripts/generate-proto-types.mjs'), lock]),
    kernel: hashFiles([...listFiles(KERNEL_SOURCES, '.ts'), inRepository('scripts/build-kernel.mjs'), lock]),
    typescript: hashFiles([...COMPILED.flatMap(sourcesOf), inRepository('tsconfig.json'), lock]),
  };
}

function isDone(part, stamp, wanted) {
  if (stamp?.[part] !== wanted[part]) return false;
  const made = {
    proto: 'src/generated',
    kernel: 'dist/src/shard/kernel/kernel.wasm',
    typescript: 'dist/src',
  };
  return existsSync(inRepository(made[part]));
}

export function buildIsCurrent() {
  const stamp = readJson(STAMP);
  const wanted = wantedStamp();
  return Object.keys(wanted).every((part) => isDone(part, stamp, wanted));
}

/** Compiled files whose source is gone would still be found by imports; they go too. */
function removeOrphans() {
  for (const compiled of listFiles(DIST, '.js')) {
    const source = inRepository(relative(DIST, compiled).replace(/\.js$/, '.ts'));
    if (existsSync(source)) continue;
    rmSync(compiled);
    rmSync(`${compiled}.map`, { force: true });
  }
}

async function buildKernel() {
  const script = inRepository('scripts/build-kernel.mjs');
  const { ok, output } = await runCommand(process.execPath, [script], { cwd: REPOSITORY });
  if (!ok) throw new SetupError('the search kernel does not compile (above)', tailOf(output));
}

async function compile() {
  const tsc = inRepository('node_modules/typescript/bin/tsc');
  // tsc trusts its own record of what it wrote, so it must not outlive the files
  if (!existsSync(join(DIST, 'src'))) rmSync(join(DIST, '.tsbuildinfo'), { force: true });
  const { ok, output } = await runCommand(process.execPath, [tsc, '-p', REPOSITORY], { cwd: REPOSITORY });
  if (!ok) throw new SetupError('the TypeScript sources do not compile (above)', tailOf(output));
  removeOrphans();
}

/** Order matters: the generated types are among tsc's inputs. */
export async function build() {
  const works = { proto: generateProtoTypes, kernel: buildKernel, typescript: compile };
  const labels = {
    proto: 'generating types from the proto',
    kernel: 'compiling the search kernel (asc)',
    typescript: 'compiling (tsc)',
  };
  for (const [part, work] of Object.entries(works)) {
    const stamp = readJson(STAMP) ?? {};
    // hashed before the work: a source edited meanwhile is built again next time
    const wanted = wantedStamp();
    if (isDone(part, stamp, wanted)) continue;
    await step(labels[part], work);
    writeJson(STAMP, { ...stamp, [part]: wanted[part] });
  }
}
