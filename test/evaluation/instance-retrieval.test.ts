import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { Random } from '../../src/core/random.js';
import { changedImage, STANDARD_CHANGE } from '../../src/evaluation/changed-image.js';
import { measureInstanceRetrieval, type FineEncoder } from '../../src/evaluation/instance-retrieval.js';
import { summarizeInstances } from '../../src/evaluation/instance-summary.js';
import { listLabelledFolder } from '../../src/evaluation/labelled-folder.js';
import { decodeImage } from '../../src/imaging/decode-image.js';
import { encodeGrayPng } from '../../src/imaging/raster.js';

const SIZE = 16;
const NONE = { rotationDegrees: 0, shift: 0, scale: 0, noise: 0, jpegQuality: 100 };

/** A bright square of 4 pixels whose place tells the image. */
function squareAt(place: number): Uint8Array {
  const [left, top] = [(place % 4) * 4, Math.floor(place / 4) * 4];
  return Uint8Array.from({ length: SIZE * SIZE }, (_, at) => {
    const [x, y] = [at % SIZE, Math.floor(at / SIZE)];
    return x >= left && x < left + 4 && y >= top && y < top + 4 ? 230 : 20;
  });
}

/** One code for all; the fine code has a bit for each of the 16 places that is bright. */
const placeEncoder: FineEncoder = {
  codeBits: 8,
  fineCodeBits: 16,
  inputSize: SIZE,
  encodeFine(pixels, count) {
    const fineEmbeddings = new Float32Array(count * 16).fill(-0.5);
    pixels.forEach((gray, at) => {
      const [image, x, y] = [Math.floor(at / SIZE ** 2), at % SIZE, Math.floor(at / SIZE) % SIZE];
      const bit = image * 16 + Math.floor(y / 4) * 4 + Math.floor(x / 4);
      fineEmbeddings[bit] = (fineEmbeddings[bit] as number) + gray / 16;
    });
    return Promise.resolve({ embeddings: new Float32Array(count * 8).fill(1), fineEmbeddings });
  },
};

describe('instance retrieval', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'kinscan-instances-'));
    for (let place = 0; place < 16; place++) {
      const folder = join(root, place < 8 ? 'upper' : 'lower');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, `${place}.png`), await encodeGrayPng(squareAt(place), SIZE, SIZE));
    }
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('finds every original by its fine code, and by the tie order alone only one', async () => {
    const report = await measureInstanceRetrieval(placeEncoder, await listLabelledFolder(root), {
      queryCount: 16,
      seed: 1,
      change: STANDARD_CHANGE,
    });
    assert.equal(report.queries, 16);
    assert.equal(report.sameCodeShare, 1);
    assert.equal(report.rankings.FINE.firstShare, 1);
    assert.equal(report.rankings.FINE_ALONE.meanReciprocalRank, 1);
    assert.equal(report.rankings.HAMMING.firstShare, 1 / 16);
    assert.deepEqual(
      report.byClass.map(({ name, queries }) => [name, queries]),
      [
        ['lower', 8],
        ['upper', 8],
      ],
    );
  });

  it('refuses a model without a fine code', async () => {
    const options = { queryCount: 1, seed: 1, change: STANDARD_CHANGE };
    await assert.rejects(
      measureInstanceRetrieval({ ...placeEncoder, fineCodeBits: 0 }, await listLabelledFolder(root), options),
      (error) => error instanceof KinscanError && error.code === 'INVALID_ARGUMENT',
    );
  });

  it('sums up ranks and flipped bits, worked by hand', () => {
    const ranks = (FINE: number) => ({ HAMMING: 20, FINE, FINE_ALONE: 1 });
    const summary = summarizeInstances(
      [
        { label: 0, codeDistance: 0, rankByRanking: ranks(1) },
        { label: 0, codeDistance: 2, rankByRanking: ranks(4) },
      ],
      ['a', 'without a query'],
    );
    assert.equal(summary.sameCodeShare, 0.5);
    assert.deepEqual(summary.flippedBits, [1, 0, 1]);
    assert.deepEqual(summary.rankings.FINE, {
      firstShare: 0.5,
      amongFirst10Share: 1,
      meanReciprocalRank: 0.625,
    });
    assert.equal(summary.rankings.HAMMING.amongFirst10Share, 0);
    assert.deepEqual(
      summary.byClass.map(({ name }) => name),
      ['a'],
    );
  });
});

describe('changing an image', () => {
  const frame = { width: SIZE, height: SIZE, pixels: Float32Array.from(squareAt(5), (gray) => gray / 255) };
  const changed = async (change: typeof NONE, seed = 1): Promise<Float32Array> =>
    (await decodeImage(await changedImage(frame, change, new Random(seed)))).frame.pixels;

  it('leaves it as it is where nothing may change', async () => {
    const pixels = await changed(NONE);
    pixels.forEach((gray, at) => assert.ok(Math.abs(gray - (frame.pixels[at] as number)) < 0.02));
  });

  it('moves its content by no more than the bound', async () => {
    const centreOf = (pixels: Float32Array): [number, number] => {
      let [sum, x, y] = [0, 0, 0];
      pixels.forEach((gray, at) => {
        const weight = Math.max(0, gray - 0.2);
        sum += weight;
        x += weight * (at % SIZE);
        y += weight * Math.floor(at / SIZE);
      });
      return [x / sum, y / sum];
    };
    const [x0, y0] = centreOf(frame.pixels);
    let furthest = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const [x, y] = centreOf(await changed({ ...NONE, shift: 0.1 }, seed));
      for (const move of [Math.abs(x - x0), Math.abs(y - y0)]) {
        assert.ok(move < 0.1 * SIZE + 0.15, `moved by ${move}`);
        furthest = Math.max(furthest, move);
      }
    }
    assert.ok(furthest > 0.07 * SIZE, `never moved further than ${furthest}`);
  });

  it('follows from the seed', async () => {
    assert.deepEqual(await changed(STANDARD_CHANGE, 3), await changed(STANDARD_CHANGE, 3));
    assert.notDeepEqual(await changed(STANDARD_CHANGE, 3), await changed(STANDARD_CHANGE, 4));
  });
});
