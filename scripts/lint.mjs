#!/usr/bin/env node
// All that reads the sources without running them: eslint, prettier, buf; side by side, offline.
// --fix lets eslint and prettier repair what they can.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { REPOSITORY } from './setup/files.mjs';

const tool = (path) => [process.execPath, join(REPOSITORY, 'node_modules', path)];

function linters(fix) {
  return {
    eslint: [...tool('eslint/bin/eslint.js'), '--max-warnings=0', ...(fix ? ['--fix'] : []), '.'],
    prettier: [...tool('prettier/bin/prettier.cjs'), '--log-level=warn', fix ? '--write' : '--check', '.'],
    buf: [...tool('@bufbuild/buf/bin/buf'), 'lint'],
  };
}

function run(name, [command, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk) => (output += chunk);
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ name, ok: false, output: error.message }));
    child.on('close', (code) => resolve({ name, ok: code === 0, output }));
  });
}

/** @returns {Promise<boolean>} whether every linter is content; prints what those say that are not */
export async function lint({ fix = false } = {}) {
  // eslint --fix and prettier --write both write the sources: one after the other
  const all = Object.entries(linters(fix));
  const results = [];
  if (fix) for (const [name, command] of all) results.push(await run(name, command));
  else results.push(...(await Promise.all(all.map(([name, command]) => run(name, command)))));
  for (const { name, ok, output } of results) {
    process.stdout.write(ok ? `lint: ${name} ok\n` : `${output.trimEnd()}\nlint: ${name} FAILED\n`);
  }
  return results.every(({ ok }) => ok);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (!(await lint({ fix: process.argv.includes('--fix') }))) process.exitCode = 1;
}
