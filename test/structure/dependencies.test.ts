import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packageOf, ROOT, sourcesUnder } from './source-tree.js';

type Manifest = Readonly<Record<string, Readonly<Record<string, string>> | undefined>> & {
  readonly license?: string;
};

const readManifest = (folder: string) =>
  JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as Manifest;

const manifest = readManifest('.');
const namesOf = (kind: string) => Object.keys(manifest[kind] ?? {});
const runtimeNames = [...namesOf('dependencies'), ...namesOf('optionalDependencies')];
const allNames = [...runtimeNames, ...namesOf('devDependencies')];

/** Licences that may be part of an Apache-2.0 distribution. */
const ALLOWED = ['Apache-2.0', 'MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0 AND MIT'];

/** The rows `| name | licence | why |` of docs/dependencies.md. */
const documented = new Map(
  [
    ...readFileSync(join(ROOT, 'docs/dependencies.md'), 'utf8').matchAll(
      /^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$/gm,
    ),
  ].map(([, name = '', licence = '', why = '']) => [name, { licence: licence.trim(), why: why.trim() }]),
);

describe('docs/dependencies.md', () => {
  it('lists exactly the packages of package.json', () => {
    assert.deepEqual([...documented.keys()].sort(), [...allNames].sort());
  });

  it('gives the licence that each package gives itself, and only allowed ones', () => {
    for (const [name, { licence, why }] of documented) {
      assert.equal(licence, readManifest(`node_modules/${name}`).license, name);
      assert.ok(ALLOWED.includes(licence), `${name}: ${licence}`);
      assert.ok(why.length > 3, `${name} has a reason`);
    }
  });
});

describe('package.json', () => {
  const isOurs = (name: string) => !name.startsWith('node:');

  it('declares every package that src imports as a dependency', () => {
    const imported = new Set(
      sourcesUnder('src').flatMap(({ packages }) => packages.filter(isOurs).map(packageOf)),
    );
    assert.deepEqual(
      [...imported].filter((name) => !runtimeNames.includes(name)),
      [],
    );
  });

  it('declares every package that tests and benchmarks import', () => {
    const files = [...sourcesUnder('test'), ...sourcesUnder('bench')];
    const imported = new Set(files.flatMap(({ packages }) => packages.filter(isOurs).map(packageOf)));
    assert.deepEqual(
      [...imported].filter((name) => !allNames.includes(name)),
      [],
    );
  });
});
