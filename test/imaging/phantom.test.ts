import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { decodeImage } from '../../src/imaging/decode-image.js';
import { drawPhantom, PHANTOM_REGIONS } from '../../src/imaging/phantom.js';
import { resizeToSquare } from '../../src/imaging/resize.js';
import { writeSampleArchive } from '../../src/imaging/sample-archive.js';

/** Of a small copy, so that pose and not grain decides. */
function smallPhantom(region: (typeof PHANTOM_REGIONS)[number], seed: number): Float32Array {
  const { width, height, pixels } = drawPhantom(region, seed);
  return resizeToSquare({ width, height, pixels: Float32Array.from(pixels, (value) => value / 255) }, 32);
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number =>
    x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe('phantoms', () => {
  it('are the same for the same region and seed, and differ with either', () => {
    const hashes = PHANTOM_REGIONS.flatMap((region) =>
      [1, 2, 3].map((seed) => createHash('sha256').update(drawPhantom(region, seed).pixels).digest('hex')),
    );
    assert.equal(new Set(hashes).size, hashes.length);
    assert.deepEqual(drawPhantom('hand', 5), drawPhantom('hand', 5));
  });

  it('use the range of grays and vary within a region', () => {
    for (const region of PHANTOM_REGIONS) {
      const { pixels } = drawPhantom(region, 11);
      assert.ok(Math.max(...pixels) > 190, region);
      assert.ok(Math.min(...pixels) < 25, region);
      assert.ok(cosine(smallPhantom(region, 1), smallPhantom(region, 2)) < 0.99, region);
    }
  });

  it('are most like phantoms of their own region', () => {
    const gallery = PHANTOM_REGIONS.flatMap((region) =>
      Array.from({ length: 12 }, (_, i) => ({ region, pixels: smallPhantom(region, 100 + i) })),
    );
    const queries = PHANTOM_REGIONS.flatMap((region) =>
      Array.from({ length: 4 }, (_, i) => ({ region, pixels: smallPhantom(region, 200 + i) })),
    );
    const right = queries.filter((query) => {
      const ranked = gallery.map((item) => ({ ...item, likeness: cosine(item.pixels, query.pixels) }));
      ranked.sort((a, b) => b.likeness - a.likeness);
      return ranked[0]?.region === query.region;
    });
    assert.ok(right.length >= queries.length - 2, `${right.length} of ${queries.length}`);
  });
});

describe('the sample archive', () => {
  it('holds as many PNG files as wanted, region by region, the same each time', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'kinscan-sample-'));
    try {
      const files = await writeSampleArchive(folder, { count: 8, seed: 3 });
      const names = files.map((file) => path.relative(folder, file).split(path.sep).join('/'));
      const firstOfEach = PHANTOM_REGIONS.map((region) => `${region}/0001.png`);
      assert.deepEqual(names, [...firstOfEach, 'head/0002.png', 'chest/0002.png']);
      const contents = await Promise.all(files.map((file) => readFile(file)));
      const { frame } = await decodeImage(contents[0] as Buffer);
      assert.deepEqual([frame.width, frame.height], [128, 128]);
      await writeSampleArchive(folder, { count: 8, seed: 3 });
      assert.deepEqual(await Promise.all(files.map((file) => readFile(file))), contents);
      await writeSampleArchive(folder, { count: 8, seed: 4 });
      assert.notDeepEqual(await readFile(files[0] as string), contents[0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
