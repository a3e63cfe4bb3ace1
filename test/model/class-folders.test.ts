import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { loadClassFolders, type PixelReader } from '../../src/model/class-folders.js';

/** A file holds one gray level, or the code of the error that reading it gives. */
const readPixels: PixelReader = (bytes, inputSize) => {
  const text = Buffer.from(bytes).toString();
  if (text === 'CORRUPT_IMAGE' || text === 'EMPTY_IMAGE')
    return Promise.reject(new KinscanError(text, 'cannot be read'));
  if (text === 'bug') return Promise.reject(new TypeError('a bug'));
  return Promise.resolve(new Float32Array(inputSize ** 2).fill(Number(text)));
};

describe('loading class folders', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'kinscan-classes-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const write = async (files: Record<string, string>): Promise<void> => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.join(folder, path.dirname(name)), { recursive: true });
      await writeFile(path.join(folder, name), text);
    }
  };
  const load = () => loadClassFolders(folder, 2, readPixels);
  const assertRefused = (reason: RegExp): Promise<void> =>
    assert.rejects(
      load(),
      (error) =>
        error instanceof KinscanError && error.code === 'INVALID_TRAINING_DATA' && reason.test(error.message),
    );

  it('gives classes and images in the order of their names', async () => {
    await write({
      'b/2': '1',
      'b/1': '0.2',
      'a/1': '0',
      '.hidden/1': '0',
      'a/.hidden': 'bug',
      'readme.txt': 'no class',
    });
    const { images } = await load();
    assert.deepEqual(images.classNames, ['a', 'b']);
    assert.deepEqual([...images.labels], [0, 1, 1]);
    assert.deepEqual([...images.pixels], [0, 0, 0, 0, 51, 51, 51, 51, 255, 255, 255, 255]);
  });

  it('follows links to folders and files', async () => {
    await write({ 'a/1': '0', 'elsewhere/deep/1': '1' });
    await symlink(path.join(folder, 'elsewhere', 'deep'), path.join(folder, 'b'));
    await rm(path.join(folder, 'a', '1'));
    await symlink(path.join(folder, 'elsewhere', 'deep', '1'), path.join(folder, 'a', 'link'));
    await write({ 'elsewhere/1': '0.5' });
    assert.deepEqual((await load()).images.classNames, ['a', 'b', 'elsewhere']);
  });

  it('leaves out what cannot be decoded, and counts it by reason', async () => {
    await write({
      'a/1': 'CORRUPT_IMAGE',
      'a/2': '1',
      'b/1': '0',
      'b/2': 'EMPTY_IMAGE',
      'b/3': 'CORRUPT_IMAGE',
    });
    const { images, skippedByCode } = await load();
    assert.deepEqual([...images.labels], [0, 1]);
    assert.deepEqual([...images.pixels], [255, 255, 255, 255, 0, 0, 0, 0]);
    assert.deepEqual(Object.fromEntries(skippedByCode), { CORRUPT_IMAGE: 2, EMPTY_IMAGE: 1 });
  });

  it('reports progress up to the last file', async () => {
    await write({ 'a/1': '0', 'a/2': '0', 'b/1': '0' });
    const seen: string[] = [];
    await loadClassFolders(folder, 2, readPixels, (done, total) => seen.push(`${done}/${total}`));
    assert.deepEqual(seen, ['1/3', '2/3', '3/3']);
  });

  it('refuses a missing folder, one class only, an empty class, and a class without a readable image', async () => {
    await assertRefused(/0 class folder/);
    await write({ 'a/1': '0' });
    await assertRefused(/1 class folder/);
    await mkdir(path.join(folder, 'b'));
    await assertRefused(/'b' is empty/);
    await write({ 'b/1': 'CORRUPT_IMAGE' });
    await assertRefused(/no image of class 'b'/);
    await rm(folder, { recursive: true });
    await assertRefused(/cannot be read/);
  });

  it('does not hide a bug of the decoder', async () => {
    await write({ 'a/1': '0', 'b/1': 'bug' });
    await assert.rejects(load(), TypeError);
  });
});
