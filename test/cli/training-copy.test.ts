import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { writeTrainingCopy } from '../../bench/training-copy.js';
import { encodeGrayPng } from '../../src/imaging/raster.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

const SIDE = 32;
const IMAGES_PER_CLASS = 6;

/** Images of class `label` have this gray throughout, and no two the same. */
const grayOf = (label: number, image: number) => 100 * label + image;

describe('kinscan bench training-copy', () => {
  it('writes pixels and labels row by row, and a bit for every value of CNNH', async () => {
    const folder = await temporaryFolder();
    for (const [label, name] of ['dark', 'light'].entries()) {
      await mkdir(path.join(folder, 'data', name), { recursive: true });
      for (let image = 0; image < IMAGES_PER_CLASS; image++) {
        const pixels = new Uint8Array(SIDE * SIDE).fill(grayOf(label, image));
        await writeFile(
          path.join(folder, 'data', name, `${image}.png`),
          await encodeGrayPng(pixels, SIDE, SIDE),
        );
      }
    }
    await writeFile(path.join(folder, 'data', 'dark', 'broken.png'), 'not an image');
    const out = path.join(folder, 'copy');
    const options = { data: path.join(folder, 'data'), out, queries: 4, seed: 1, seeds: 1 };
    assert.deepEqual(await writeTrainingCopy(options), {
      ...{ gallery: 2 * IMAGES_PER_CLASS - 4, queries: 4, classes: ['dark', 'light'], leftOut: 1 },
    });
    const grays: number[] = [];
    for (const part of ['gallery', 'queries']) {
      const pixels = await readFile(path.join(out, `${part}.pixels`));
      const labels = await readFile(path.join(out, `${part}.labels`));
      for (let row = 0; row < labels.length / 2; row++) {
        const image = pixels.subarray(row * SIDE * SIDE, (row + 1) * SIDE * SIDE);
        const gray = image[0] as number;
        assert.ok(image.every((pixel) => pixel === gray));
        assert.equal(labels.readUInt16LE(2 * row), gray >= 100 ? 1 : 0);
        grays.push(gray);
      }
    }
    const all = [0, 1].flatMap((label) =>
      Array.from({ length: IMAGES_PER_CLASS }, (_, image) => grayOf(label, image)),
    );
    assert.deepEqual(
      grays.sort((a, b) => a - b),
      all,
    );
    for (const bits of [16, 32, 48, 64]) {
      const codes = await readFile(path.join(out, `cnnh.1.${bits}`));
      assert.equal(codes.length, ((2 * IMAGES_PER_CLASS - 4) * bits) / 8);
    }
  });
});
