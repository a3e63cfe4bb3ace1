import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from './source-tree.js';

const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...['docs', 'models'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  ),
];

/** Links to files of the repository, as [page, target]; code blocks, other sites and anchors are left out. */
const links = pages.flatMap((page) =>
  [
    ...readFileSync(join(ROOT, page), 'utf8')
      .replace(/```[\s\S]*?```/g, '')
      .matchAll(/\]\(([^)#\s]+)[^)]*\)/g),
  ]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => [page, target] as const),
);

describe('the links of the documents', () => {
  it('lead to files that exist', () => {
    assert.deepEqual(
      links.filter(([page, target]) => !existsSync(join(ROOT, dirname(page), target))),
      [],
    );
    assert.ok(links.length > 0, 'some were found');
  });
});
