import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeSampleArchive } from '../../src/imaging/sample-archive.js';
import { loadModel } from '../../src/model/artefact.js';
import { packageRoot } from '../../src/runtime/package-root.js';

interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function kinscanTrain(...args: string[]): Promise<Finished> {
  const main = path.join(packageRoot(), 'dist', 'src', 'cli', 'main.js');
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'train', ...args], (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : (error.code as unknown as number), stdout, stderr });
    });
  });
}

describe('kinscan train', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'kinscan-train-'));
    await writeSampleArchive(path.join(folder, 'data'), { count: 60 });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('writes a model and prints its metrics as one JSON document', async () => {
    await writeFile(path.join(folder, 'data', 'head', 'broken.png'), 'no image');
    const out = path.join(folder, 'model');
    const small = [
      '--bits',
      '8',
      '--input',
      '16',
      '--batch',
      '16',
      '--iterations',
      '2',
      '--fine-bits',
      '16',
      '--settle',
      '2',
    ];
    const { exitCode, stdout, stderr } = await kinscanTrain(
      '--data',
      path.join(folder, 'data'),
      '--out',
      out,
      '--json',
      ...small,
    );
    assert.equal(exitCode, 0, stderr);
    const report = JSON.parse(stdout) as { modelVersion: string; images: number; validation: object };
    const model = await loadModel(out);
    assert.equal(report.modelVersion, model.modelVersion);
    assert.equal(report.images, 60);
    assert.ok(report.validation !== null);
    assert.match(stderr, /1 file left out: UNSUPPORTED_FORMAT/);
    assert.match(stderr, /"event":"progress","iteration":2,"iterations":2,"loss":/);
    assert.deepEqual((await readdir(out)).sort(), ['manifest.json', 'model.onnx', 'weights.bin']);
  });

  it('fails with one clear line and exit code 1 where the data is bad, and writes nothing', async () => {
    const bad = path.join(folder, 'bad');
    await mkdir(path.join(bad, 'only'), { recursive: true });
    const out = path.join(folder, 'nothing');
    const { exitCode, stdout, stderr } = await kinscanTrain('--data', bad, '--out', out);
    assert.equal(exitCode, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^kinscan: INVALID_TRAINING_DATA: .*\n$/);
    await assert.rejects(readdir(out));
  });

  it('refuses an empty class, and fewer images than a batch, and writes nothing', async () => {
    const out = path.join(folder, 'nothing');
    const refuses = async (data: string, reason: RegExp): Promise<void> => {
      const { exitCode, stderr } = await kinscanTrain('--data', data, '--out', out, '--input', '16');
      assert.equal(exitCode, 1);
      assert.match(stderr.trimEnd().split('\n').at(-1) as string, reason);
      const written = await readdir(out).catch(() => []);
      assert.deepEqual(written, []);
    };
    const empty = path.join(folder, 'empty-class');
    await mkdir(path.join(empty, 'a'), { recursive: true });
    await mkdir(path.join(empty, 'b'));
    await copyFile(path.join(folder, 'data', 'head', '0001.png'), path.join(empty, 'a', '1.png'));
    await refuses(empty, /^kinscan: INVALID_TRAINING_DATA: class folder 'b' is empty$/);
    await refuses(path.join(folder, 'data'), /training images are fewer than a batch of 200; lower --batch$/);
  });

  it('fails with exit code 2 on wrong usage', async () => {
    assert.equal((await kinscanTrain('--data', 'x', '--out', 'y', '--bits', 'many')).exitCode, 2);
    assert.equal((await kinscanTrain('--out', 'y')).exitCode, 2);
  });
});
