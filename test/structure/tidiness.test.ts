import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import ts from 'typescript';
import { codeOf, sourcesUnder, type SourceFile } from './source-tree.js';

const FILE_LINES_MAX = 400;
const FILE_LINES_MEDIAN_MAX = 160;
const FUNCTION_LINES_MAX = 100;

const src = sourcesUnder('src');
const all = [...src, ...sourcesUnder('test'), ...sourcesUnder('bench')];

const linesOf = (text: string) => text.trimEnd().split('\n').length;

/** Functions and methods longer than the limit, as path:line. */
function longFunctions(source: SourceFile): string[] {
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ES2022, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) {
      const first = file.getLineAndCharacterOfPosition(node.getStart(file)).line;
      const last = file.getLineAndCharacterOfPosition(node.getEnd()).line;
      if (last - first + 1 > FUNCTION_LINES_MAX) found.push(`${source.path}:${first + 1}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

describe('the source files', () => {
  it('are named in kebab-case for what they hold, with no index or utils', () => {
    const faults = all
      .map(({ path }) => path)
      .filter(
        (path) =>
          !/^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.bench|\.worker|\.d)?\.ts$/.test(basename(path)) ||
          /^(index|utils?|helpers?|misc|common)\.ts$/.test(basename(path)),
      );
    assert.deepEqual(faults, []);
  });

  it(`are at most ${FILE_LINES_MAX} lines long, half of src under ${FILE_LINES_MEDIAN_MAX}`, () => {
    const long = all.filter(({ text }) => linesOf(text) > FILE_LINES_MAX).map(({ path }) => path);
    assert.deepEqual(long, []);
    const lengths = src.map(({ text }) => linesOf(text)).sort((a, b) => a - b);
    const median = lengths[Math.floor(lengths.length / 2)] ?? Infinity;
    assert.ok(median < FILE_LINES_MEDIAN_MAX, `the median is ${median}`);
  });

  it(`hold no function of more than ${FUNCTION_LINES_MAX} lines`, () => {
    assert.deepEqual(src.flatMap(longFunctions), []);
  });

  it('leave nothing to be done later', () => {
    const marks = new RegExp(
      ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].map((mark) => `\\b${mark}\\b`).join('|'),
    );
    assert.deepEqual(
      all.filter(({ text }) => marks.test(text)).map(({ path }) => path),
      [],
    );
  });

  it('read flags, environment and signals in main files and the command line only', () => {
    const outside = /\bprocess\.(env|argv)\b|\bprocess\.(on|once)\(\s*['"]SIG/;
    // lifecycle.ts is how the main files of the roles wait for their signals
    const isMain = (path: string) =>
      path.startsWith('src/cli/') || basename(path) === 'main.ts' || path === 'src/runtime/lifecycle.ts';
    const faults = src
      .filter(({ path }) => !isMain(path))
      .filter((source) => outside.test(codeOf(source)))
      .map(({ path }) => path);
    assert.deepEqual(faults, []);
  });

  it('use no test that is skipped for good or runs alone', () => {
    const faults = all.filter(
      ({ path, text }) => path.endsWith('.test.ts') && /\b(it|test|describe)\.(only|todo)\(/.test(text),
    );
    assert.deepEqual(
      faults.map(({ path }) => path).filter((path) => path !== 'test/structure/tidiness.test.ts'),
      [],
    );
  });
});
