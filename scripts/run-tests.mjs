#!/usr/bin/env node
// Runs the compiled tests with node's own runner: npm test [-- WORD...] runs those whose path holds a word.
// The files are listed here because quoted globs fail on Node 20 and folders on Node 22.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { REPOSITORY, listFiles } from './setup/files.mjs';

/** Tests start clusters of processes; more files at once than this would measure the machine. */
const CONCURRENCY = 2;
/** Per test and per file: the longest file takes two minutes on two cores, and eight beside heavy other work. */
const TIMEOUT_MS = 20 * 60_000;

/** TypeScript tests run compiled; those of scripts/ are plain modules like the scripts themselves. */
export function listTests(words = []) {
  return [
    ...listFiles(join(REPOSITORY, 'test'), '.test.ts'),
    ...listFiles(join(REPOSITORY, 'test'), '.test.mjs'),
  ]
    .map((source) => relative(REPOSITORY, source))
    .filter((source) => words.length === 0 || words.some((word) => source.includes(word)))
    .map((source) => (source.endsWith('.ts') ? join('dist', source.replace(/\.ts$/, '.js')) : source));
}

/** @returns {Promise<number>} exit code; the runner's own summary is the last thing printed */
export async function runTests(words = []) {
  const files = listTests(words).filter((file) => existsSync(join(REPOSITORY, file)));
  if (files.length === 0) {
    process.stderr.write(`no test file holds ${words.join(' or ')} in its path\n`);
    return 1;
  }
  const args = [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${CONCURRENCY}`,
    `--test-timeout=${TIMEOUT_MS}`,
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
  ];
  const folder = mkdtempSync(join(tmpdir(), 'kinscan-run-tests-'));
  try {
    const report = join(folder, 'ended-badly');
    const reporter = join(REPOSITORY, 'scripts', 'ended-badly-reporter.mjs');
    const watching = [`--test-reporter=${reporter}`, `--test-reporter-destination=${report}`];
    const code = await runNode([...args, ...watching, ...files]);
    const again = code === 0 ? [] : readFileSync(report, 'utf8').split('\n').filter(Boolean);
    if (again.length === 0 || again.includes('FAILED')) return code;
    // native libraries (onnxruntime, RocksDB) now and then crash while a process whose tests have all passed ends
    process.stderr.write(
      `once more, since its tests passed but its process ended badly: ${again.join(', ')}\n`,
    );
    return await runNode([...args, ...again]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runNode(args) {
  const child = spawn(process.execPath, args, { cwd: REPOSITORY, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = await runTests(process.argv.slice(2));
}
