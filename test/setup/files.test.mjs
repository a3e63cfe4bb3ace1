import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hashFiles, listFiles, readJson, writeJson } from '../../scripts/setup/files.mjs';

function workFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'kinscan-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('the hash of the inputs of a step', () => {
  it('changes with a content, a name, and a file that comes or goes', (t) => {
    const folder = workFolder(t);
    const [a, b] = [join(folder, 'a.ts'), join(folder, 'b.ts')];
    writeFileSync(a, 'one');
    const first = hashFiles([a]);
    assert.equal(hashFiles([a]), first);
    writeFileSync(b, 'one');
    assert.notEqual(hashFiles([b]), first);
    assert.notEqual(hashFiles([a, b]), first);
    writeFileSync(a, 'two');
    assert.notEqual(hashFiles([a]), first);
    rmSync(a);
    assert.notEqual(hashFiles([a]), first);
  });
});

describe('the list of input files', () => {
  it('is sorted, recursive and by ending; a missing folder holds none', (t) => {
    const folder = workFolder(t);
    mkdirSync(join(folder, 'sub'));
    for (const name of ['z.ts', 'sub/a.ts', 'b.js']) writeFileSync(join(folder, name), '');
    assert.deepEqual(listFiles(folder, '.ts'), [join(folder, 'sub/a.ts'), join(folder, 'z.ts')]);
    assert.deepEqual(listFiles(join(folder, 'missing'), '.ts'), []);
  });
});

describe('a stamp', () => {
  it('is read back as written, leaves no part behind, and counts as missing when damaged', (t) => {
    const folder = workFolder(t);
    const path = join(folder, 'new', 'stamp.json');
    writeJson(path, { lock: 'x' });
    assert.deepEqual(readJson(path), { lock: 'x' });
    assert.deepEqual(readdirSync(join(folder, 'new')), ['stamp.json']);
    writeFileSync(path, '{"lock":');
    assert.equal(readJson(path), undefined);
  });
});
