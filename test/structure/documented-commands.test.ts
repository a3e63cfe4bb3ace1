import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from './source-tree.js';

/** Every page for people, with its text. */
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].filter((name) => existsSync(join(ROOT, name))),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
].map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

/** Code spans and code blocks only: prose may say "kinscan streams". */
function codeIn(text: string): string {
  const blocks = [...text.matchAll(/```[\s\S]*?```/g)].map(([block]) => block);
  const spans = [...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([^`\n]+)`/g)].map(([, span]) => span);
  return [...blocks, ...spans].join('\n');
}

const mentions = (pattern: RegExp) =>
  pages.flatMap(({ path, text }) =>
    [...codeIn(text).matchAll(pattern)].map(([, name = '']) => ({ path, name })),
  );

function helpOf(...command: string[]): string {
  const main = join(ROOT, 'dist/src/cli/main.js');
  const { stdout, status } = spawnSync(process.execPath, [main, ...command, '--help'], { encoding: 'utf8' });
  assert.equal(status, 0, `kinscan ${command.join(' ')} --help succeeds`);
  return stdout;
}

describe('the commands that the documents name', () => {
  it('exist as npm scripts', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = mentions(/\bnpm run ([a-z][a-z:-]*)/g);
    assert.deepEqual(
      named.filter(({ name }) => !(name in scripts)),
      [],
    );
    assert.ok(named.length > 0, 'some are named');
  });

  it('exist in kinscan', () => {
    const commands = [...helpOf().matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name);
    const named = mentions(/(?:^|[\s/`])kinscan ([a-z][a-z-]*)/gm);
    assert.deepEqual(
      named.filter(({ name }) => !commands.includes(name)),
      [],
    );
    assert.ok(named.length > 0, 'some are named');
  });
});

describe('the scripts of package.json', () => {
  it('are those that the contract and CI rely on', () => {
    const { scripts, bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
      bin: Record<string, string>;
    };
    for (const name of ['start', 'test', 'setup', 'build', 'lint', 'check']) assert.ok(name in scripts, name);
    assert.equal(bin['kinscan'], 'dist/src/cli/main.js');
    assert.match(readFileSync(join(ROOT, 'src/cli/main.ts'), 'utf8'), /^#!\/usr\/bin\/env node\n/);
    assert.match(readFileSync(join(ROOT, '.ci/run'), 'utf8'), /npm test$/m);
  });
});
