import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { augmentImage } from '../../src/model/augmentation.js';
import { BatchSampler } from '../../src/model/batch-sampler.js';
import { standardisedBatch } from '../../src/model/image-batch.js';
import { scoreRetrieval } from '../../src/model/retrieval-score.js';
import { seededRandom } from '../../src/model/seeded-random.js';
import { splitByClass, standardisationOf } from '../../src/model/training-set.js';
import { syntheticShapes } from './synthetic-shapes.js';

const images = syntheticShapes(10, 16, 1);
const everything = Uint32Array.from(images.labels.keys());

describe('the held-out split', () => {
  it('takes its share of every class, and no image twice', () => {
    const { training, validation } = splitByClass(images, 0.2, 1);
    assert.equal(validation.length, 6);
    for (const label of [0, 1, 2])
      assert.equal(validation.filter((index) => images.labels[index] === label).length, 2);
    assert.deepEqual(
      [...training, ...validation].sort((a, b) => a - b),
      [...everything],
    );
  });

  it('follows from the seed', () => {
    assert.deepEqual(splitByClass(images, 0.2, 1), splitByClass(images, 0.2, 1));
    assert.notDeepEqual(splitByClass(images, 0.2, 1).validation, splitByClass(images, 0.2, 2).validation);
  });
});

describe('standardisation', () => {
  it('is the mean and deviation by hand', () => {
    const two = {
      inputSize: 1,
      classNames: ['a', 'b'],
      labels: Uint16Array.of(0, 1),
      pixels: Uint8Array.of(0, 255),
    };
    assert.deepEqual(standardisationOf(two, Uint32Array.of(0, 1)), { mean: 0.5, std: 0.5 });
  });

  it('gives batches of mean 0 and deviation 1', () => {
    const batch = standardisedBatch(images, everything, standardisationOf(images, everything));
    const mean = batch.reduce((sum, value) => sum + value, 0) / batch.length;
    const variance = batch.reduce((sum, value) => sum + (value - mean) ** 2, 0) / batch.length;
    assert.ok(Math.abs(mean) < 1e-5 && Math.abs(variance - 1) < 1e-5, `${mean}, ${variance}`);
  });
});

describe('drawing a batch', () => {
  const labels = Uint16Array.from({ length: 1000 }, (_, index) => (index < 900 ? 0 : 1));
  const sampler = (classBalance: number): BatchSampler =>
    new BatchSampler(labels, Uint32Array.from(labels.keys()), 2, classBalance);
  const shareOfSecondClass = (batch: Uint32Array): number =>
    batch.filter((index) => labels[index] === 1).length / batch.length;

  it('takes classes in proportion to size, evenly, or in between', () => {
    const share = (classBalance: number): number =>
      shareOfSecondClass(sampler(classBalance).drawImages(4000, seededRandom(1, 'draw')));
    assert.ok(Math.abs(share(1) - 0.1) < 0.03);
    assert.ok(Math.abs(share(0) - 0.5) < 0.03);
    assert.ok(Math.abs(share(0.5) - 0.25) < 0.03);
  });

  it('draws 2 similar pairs to 3 dissimilar ones', () => {
    const batch = sampler(0).drawPairs(200, seededRandom(1, 'draw'));
    let similar = 0;
    for (let at = 0; at < batch.length; at += 2)
      similar += labels[batch[at] as number] === labels[batch[at + 1] as number] ? 1 : 0;
    assert.equal(similar, 40);
  });
});

describe('augmentation', () => {
  const none = { rotationDegrees: 0, shift: 0, scale: 0, intensity: 0, noise: 0 };
  const source = images.pixels.subarray(0, 256);
  const augmented = (change: Partial<typeof none>, seed = 1): Float32Array => {
    const target = new Float32Array(256);
    augmentImage(source, 16, { ...none, ...change }, seededRandom(seed, 'augment'), target);
    return target;
  };

  it('leaves an image as it is where nothing is asked for', () => {
    augmented({}).forEach((gray, at) => assert.ok(Math.abs(gray - (source[at] as number) / 255) < 1e-6));
  });

  it('changes it a little where something is, within 0 and 1, and by seed', () => {
    for (const change of [
      { rotationDegrees: 10 },
      { shift: 0.1 },
      { scale: 0.2 },
      { intensity: 0.3 },
      { noise: 0.1 },
    ]) {
      const gray = augmented(change);
      assert.notDeepEqual(gray, augmented({}));
      assert.deepEqual(gray, augmented(change));
      assert.notDeepEqual(gray, augmented(change, 2));
      assert.ok(gray.every((value) => value >= 0 && value <= 1));
    }
  });
});

describe('the retrieval score', () => {
  it('is perfect for codes that are one per class', () => {
    const score = scoreRetrieval(Float32Array.of(1, -1, 1, -1, -1, 1, -1, 1), 2, Uint16Array.of(0, 0, 1, 1));
    assert.deepEqual(score, { mapAt100: 1, mapAt100WorstTies: 1, distinctCodes: 2, bitEntropyMin: 1 });
  });

  it('shows ties between classes in the worst order', () => {
    // All codes equal: each query's only match stands behind two others, so AP is 1/3.
    const score = scoreRetrieval(Float32Array.of(1, 1, 1, 1), 1, Uint16Array.of(0, 0, 1, 1));
    assert.ok(Math.abs(score.mapAt100WorstTies - 1 / 3) < 1e-12);
    assert.ok(score.mapAt100 >= 1 / 3);
    assert.equal(score.distinctCodes, 1);
    assert.equal(score.bitEntropyMin, 0);
  });
});
