import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { findFiles } from '../../src/cli/ingest/find-files.js';
import { KinscanError } from '../../src/core/errors.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

async function relativePaths(given: string): Promise<string[]> {
  const found: string[] = [];
  for await (const file of findFiles(given)) found.push(file.relativePath);
  return found;
}

describe('finding the files to ingest', () => {
  it('walks folders in name order and names files by their path below the folder', async () => {
    const folder = await temporaryFolder();
    mkdirSync(path.join(folder, 'b', 'deep'), { recursive: true });
    for (const name of ['z.png', 'a.png', 'b/2.png', 'b/deep/1.png'])
      writeFileSync(path.join(folder, name), '');
    assert.deepEqual(await relativePaths(folder), ['a.png', 'b/2.png', 'b/deep/1.png', 'z.png']);
  });

  it('names a single file by its own name', async () => {
    const folder = await temporaryFolder();
    writeFileSync(path.join(folder, 'one.png'), '');
    assert.deepEqual(await relativePaths(path.join(folder, 'one.png')), ['one.png']);
  });

  it('passes over hidden names, follows links to files and never links to folders', async () => {
    const folder = await temporaryFolder();
    writeFileSync(path.join(folder, '.DS_Store'), '');
    writeFileSync(path.join(folder, 'real.png'), '');
    symlinkSync('real.png', path.join(folder, 'link.png'));
    symlinkSync('nowhere', path.join(folder, 'broken.png'));
    symlinkSync('.', path.join(folder, 'loop'));
    assert.deepEqual(await relativePaths(folder), ['link.png', 'real.png']);
  });

  it('refuses a path that does not exist', async () => {
    const folder = await temporaryFolder();
    await assert.rejects(
      relativePaths(path.join(folder, 'nowhere')),
      (error) => error instanceof KinscanError && error.code === 'INVALID_ARGUMENT',
    );
  });
});
