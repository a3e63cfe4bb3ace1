import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { Random } from '../../src/core/random.js';
import { evaluateModel, type EmbeddingEncoder } from '../../src/evaluation/evaluate-model.js';
import { findDataFolders, listLabelledFolder } from '../../src/evaluation/labelled-folder.js';
import { encodeGrayPng } from '../../src/imaging/raster.js';

const SIZE = 8;
const IMAGES_PER_CLASS = 12;

/** Bit i is set where the image's i-th row is brighter than its mean: bright-left and bright-top images differ. */
const rowEncoder: EmbeddingEncoder = {
  codeBits: SIZE,
  inputSize: SIZE,
  encode(pixels, count) {
    const embeddings = new Float32Array(count * SIZE);
    for (let image = 0; image < count; image++) {
      const all = pixels.subarray(image * SIZE * SIZE, (image + 1) * SIZE * SIZE);
      const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
      for (let row = 0; row < SIZE; row++) {
        const line = all.subarray(row * SIZE, (row + 1) * SIZE);
        embeddings[image * SIZE + row] = line.reduce((sum, value) => sum + value, 0) / SIZE - mean - 1e-3;
      }
    }
    return embeddings;
  },
};

async function writeClass(folder: string, brightRow: number, seed: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const random = new Random(seed);
  for (let i = 0; i < IMAGES_PER_CLASS; i++) {
    const pixels = Uint8Array.from({ length: SIZE * SIZE }, (_, at) =>
      Math.floor(at / SIZE) === brightRow ? 200 + random.integer(40) : 10 + random.integer(3),
    );
    await writeFile(join(folder, `${i}.png`), await encodeGrayPng(pixels, SIZE, SIZE));
  }
}

describe('evaluating a model on a folder', () => {
  let root: string;
  const options = { queryCount: 6, top: 10, seed: 3, now: () => 0 };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'kinscan-evaluate-'));
    await writeClass(join(root, 'one', 'upper'), 1, 1);
    await writeClass(join(root, 'one', 'lower'), 6, 2);
    for (const part of ['train', 'test']) {
      await writeClass(join(root, 'split', part, 'upper'), 1, 3);
      await writeClass(join(root, 'split', part, 'lower'), 6, 4);
    }
    await writeClass(join(root, 'single', 'upper'), 1, 5);
    await mkdir(join(root, 'empty', 'upper'), { recursive: true });
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('ranks images of the same class first when their codes agree', async () => {
    const report = await evaluateModel(rowEncoder, await findDataFolders(join(root, 'one')), options);
    assert.equal(report.queries, 6);
    assert.equal(report.gallery, 18);
    assert.deepEqual(report.mapAtK, { '5': 1, '10': 1 });
    assert.equal(report.mapAtKWorstTies['5'], 1);
    assert.equal(report.accuracy, 1);
    assert.equal(report.distinctCodes, 2);
    assert.equal(report.leastCentreDistance, 2);
    assert.deepEqual(report.classes, ['lower', 'upper']);
    // rows 1 and 6 tell the classes apart, the other six never change
    assert.equal(report.bitEntropy.perBit.filter((entropy) => entropy === 1).length, 2);
    assert.equal(report.bitEntropy.perBit.filter((entropy) => entropy === 0).length, 6);
  });

  it('shows what ties hide when every code is the same', async () => {
    const blind: EmbeddingEncoder = {
      codeBits: 8,
      inputSize: SIZE,
      encode: (_, count) => new Float32Array(count * 8),
    };
    const report = await evaluateModel(blind, await findDataFolders(join(root, 'one')), options);
    assert.equal(report.distinctCodes, 1);
    assert.equal(report.largestBucket, 18);
    assert.equal(report.mapAtKBestTies['5'], 1);
    assert.equal(report.mapAtKWorstTies['5'], 0);
    assert.ok((report.mapAtK['5'] as number) > 0 && (report.mapAtK['5'] as number) < 1);
  });

  it('draws the same queries for the same seed', async () => {
    const data = await findDataFolders(join(root, 'one'));
    const first = await evaluateModel(rowEncoder, data, options);
    assert.deepEqual(await evaluateModel(rowEncoder, data, options), first);
  });

  it('takes train as gallery and test as queries where both are there', async () => {
    const data = await findDataFolders(join(root, 'split'));
    const report = await evaluateModel(rowEncoder, data, { ...options, queryCount: 100 });
    assert.equal(report.gallery, 24);
    assert.equal(report.queries, 24);
    assert.equal(report.mapAtK['10'], 1);
  });

  it('leaves out files that cannot be decoded and counts them', async () => {
    const broken = join(root, 'one', 'upper', 'broken.png');
    await writeFile(broken, 'this is no image');
    try {
      const skipped: string[] = [];
      const data = await findDataFolders(join(root, 'one'));
      const report = await evaluateModel(rowEncoder, data, {
        ...options,
        onSkip: ({ imageId, code }) => skipped.push(`${imageId} ${code}`),
      });
      assert.deepEqual(skipped, ['upper/broken.png UNSUPPORTED_FORMAT']);
      assert.equal(report.skipped, 1);
      assert.equal(report.gallery + report.queries, 24);
    } finally {
      await rm(broken);
    }
  });

  it('says what is wrong with a folder that cannot be evaluated', async () => {
    const fault = (pattern: RegExp) => (error: unknown) =>
      error instanceof KinscanError && error.code === 'INVALID_ARGUMENT' && pattern.test(error.message);
    await assert.rejects(listLabelledFolder(join(root, 'absent')), fault(/no such folder/));
    await assert.rejects(listLabelledFolder(join(root, 'empty')), fault(/no images/));
    await assert.rejects(listLabelledFolder(join(root, 'single')), fault(/only one class/));
    const data = await findDataFolders(join(root, 'one'));
    await assert.rejects(
      evaluateModel(rowEncoder, data, { ...options, queryCount: 24 }),
      fault(/24 queries out of 24/),
    );
  });
});
