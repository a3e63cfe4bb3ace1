import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { runEncodeBench } from '../../bench/encode.js';
import { writeSampleArchive } from '../../src/imaging/sample-archive.js';
import { writeRandomModel } from './encoder-harness.js';

it('the encoding benchmark measures every image of a folder with the real engines', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'kinscan-encode-bench-'));
  try {
    const data = path.join(folder, 'data');
    const model = path.join(folder, 'model');
    await writeSampleArchive(data, { count: 30 });
    await writeRandomModel(model, 1);
    const result = await runEncodeBench({
      data,
      model,
      images: 24,
      decodeThreads: 1,
      inferenceThreads: 1,
      batchImagesMax: 8,
      concurrency: 16,
    });
    assert.equal(result.images, 24);
    assert.deepEqual([result.decodeThreads, result.inferenceThreads], [1, 1]);
    for (const [name, value] of Object.entries(result)) {
      if (typeof value === 'number') assert.ok(Number.isFinite(value) && value > 0, name);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
