import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { loadModel } from '../../src/model/artefact.js';
import { trainByLengths } from '../../src/model/train-by-lengths.js';
import { useTfBackend } from '../../src/model/tf-backend.js';
import { trainingFingerprint } from '../../src/model/trainer.js';
import { trainModel, type TrainingReport, type TrainModelOptions } from '../../src/model/train-model.js';
import type { LabelledImages } from '../../src/model/training-set.js';
import {
  learningRateAt,
  resolveTrainingSettings,
  type TrainingSettings,
} from '../../src/model/training-settings.js';
import { syntheticShapes } from './synthetic-shapes.js';

const images = syntheticShapes(40, 16, 1);
const SMALL: Partial<TrainingSettings> = {
  codeBits: 16,
  fineCodeBits: 0,
  inputSize: 16,
  batchSize: 24,
  iterations: 3,
  validationShare: 0.2,
  validationEvery: 1000,
  checkpointEvery: 1000,
  settleIterations: 0,
  seed: 3,
};

let folder: string;
let made = 0;

before(async () => {
  await useTfBackend('wasm');
  folder = await mkdtemp(path.join(os.tmpdir(), 'kinscan-trainer-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function newFolder(): string {
  return path.join(folder, `model-${made++}`);
}

async function train(
  given: Partial<TrainingSettings>,
  options: Partial<TrainModelOptions> & { stopAfter?: number; losses?: number[] } = {},
): Promise<TrainingReport & { folder: string }> {
  const outFolder = options.outFolder ?? newFolder();
  let done = 0;
  const report = await trainModel({
    images,
    settings: resolveTrainingSettings({ ...SMALL, ...given }),
    resume: false,
    note: () => undefined,
    observer: {
      iterationDone: (_iteration, loss) => {
        done++;
        options.losses?.push(loss);
      },
      validated: () => undefined,
      stopRequested: () => done === options.stopAfter,
    },
    ...options,
    outFolder,
  });
  return { ...report, folder: outFolder };
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof KinscanError && error.code === code;
}

describe('training', () => {
  it('learns to retrieve made-up shapes that it did not see', async () => {
    const losses: number[] = [];
    const report = await train({ iterations: 40, learningRate: 0.0005, validationEvery: 20 }, { losses });
    assert.ok(
      (losses.at(-1) as number) < (losses[0] as number) / 2,
      `the loss went from ${losses[0]} to ${losses.at(-1)}`,
    );
    assert.ok(report.validation !== null && report.validation.mapAt100 > 0.9, JSON.stringify(report));
    assert.deepEqual((await readdir(report.folder)).sort(), ['manifest.json', 'model.onnx', 'weights.bin']);
  });

  it('gives the same weights for the same seed, and others for another', async () => {
    const [first, again, other] = [await train({}), await train({}), await train({ seed: 4 })];
    assert.equal(first.modelVersion, again.modelVersion);
    assert.notEqual(first.modelVersion, other.modelVersion);
  });

  it('resumes to the very weights of a run that never stopped', async () => {
    const settings = { iterations: 4, checkpointEvery: 2, validationEvery: 3 };
    const whole = await train(settings);
    const stopped = await train(settings, { stopAfter: 3 });
    assert.ok((await readdir(stopped.folder)).includes('training.checkpoint'));
    const resumed = await train(settings, { outFolder: stopped.folder, resume: true });
    assert.equal(resumed.modelVersion, whole.modelVersion);
    assert.ok(!(await readdir(stopped.folder)).includes('training.checkpoint'));
  });

  it('refuses a checkpoint of other settings', async () => {
    const stopped = await train({ iterations: 4, checkpointEvery: 1 }, { stopAfter: 1 });
    await assert.rejects(
      train({ iterations: 4, alpha: 0.5 }, { outFolder: stopped.folder, resume: true }),
      isCode('INVALID_ARGUMENT'),
    );
  });

  it("carries a shorter code's layers over and widens the hash layer", async () => {
    const short = await train({});
    const long = await train(
      { codeBits: 24, iterations: 1, learningRate: 1e-9 },
      { fromFolder: short.folder },
    );
    const [old, wide] = [await loadModel(short.folder), await loadModel(long.folder)];
    const rowOf = (weights: typeof old.weights, bits: number): Float32Array =>
      (weights.get('fc2/kernel') as Float32Array).subarray(7 * bits, 7 * bits + 16);
    rowOf(wide.weights, 24).forEach((value, at) =>
      assert.ok(Math.abs(value - (rowOf(old.weights, 16)[at] as number)) < 1e-5),
    );
    await assert.rejects(train({}, { fromFolder: long.folder }), isCode('INVALID_ARGUMENT'));
  });

  it('trains longer codes from shorter ones in one go, and resumes between the stages', async () => {
    const options = (outFolder: string, resume: boolean, stopAfter: number): TrainModelOptions => {
      let done = 0;
      return {
        images,
        settings: resolveTrainingSettings({ ...SMALL, codeBits: 24, checkpointEvery: 1 }),
        outFolder,
        resume,
        note: () => undefined,
        observer: {
          iterationDone: () => done++,
          validated: () => undefined,
          stopRequested: () => done === stopAfter,
        },
      };
    };
    const [whole, broken] = [newFolder(), newFolder()];
    const report = await trainByLengths(options(whole, false, -1), [8, 16]);
    assert.equal(report.codeBits, 24);
    assert.deepEqual((await readdir(whole)).sort(), ['manifest.json', 'model.onnx', 'weights.bin']);
    await assert.rejects(trainByLengths(options(broken, false, 4), [8, 16]), isCode('DRAINING'));
    assert.deepEqual((await readdir(broken)).sort(), ['stage-16', 'stage-8']);
    const resumed = await trainByLengths(options(broken, true, -1), [8, 16]);
    assert.equal(resumed.modelVersion, report.modelVersion);
    await assert.rejects(
      trainByLengths(options(newFolder(), false, -1), [16, 8]),
      isCode('INVALID_ARGUMENT'),
    );
  });

  it('trains on drawn pairs, with the plain loss and with augmentation too', async () => {
    const augmentation = { rotationDegrees: 10, shift: 0.1, scale: 0.1, intensity: 0.1, noise: 0.02 };
    const versions = [
      await train({ pairs: 'drawn' }),
      await train({ loss: 'plain' }),
      await train({ augmentation }),
    ];
    assert.equal(new Set(versions.map(({ modelVersion }) => modelVersion)).size, 3);
  });

  it('adds a fine code that does not change the code', async () => {
    const [plain, fine] = [await train({}), await train({ fineCodeBits: 32 })];
    const [without, having] = [await loadModel(plain.folder), await loadModel(fine.folder)];
    assert.equal(having.network.fineCodeBits, 32);
    for (const [name, values] of without.weights) assert.deepEqual(having.weights.get(name), values);
    assert.notEqual(plain.modelVersion, fine.modelVersion);
  });

  it('settles the head of a model it starts from, trains nothing else, and does so again after a stop', async () => {
    const trained = await train({ iterations: 6 });
    const settings = { iterations: 0, settleIterations: 4 };
    const settled = await train(settings, { fromFolder: trained.folder });
    assert.ok(settled.validation !== null);
    assert.equal(settled.iterations, 0);
    const [old, after] = [await loadModel(trained.folder), await loadModel(settled.folder)];
    assert.deepEqual(after.weights.get('conv3/kernel'), old.weights.get('conv3/kernel'));
    assert.notDeepEqual(after.weights.get('fc2/bias'), old.weights.get('fc2/bias'));

    const whole = await train({ iterations: 3, settleIterations: 4 });
    const broken = await train({ iterations: 3, settleIterations: 4 }, { stopAfter: 3 });
    assert.notEqual(broken.modelVersion, whole.modelVersion);
    const resumed = await train(
      { iterations: 3, settleIterations: 4 },
      { outFolder: broken.folder, resume: true },
    );
    assert.equal(resumed.modelVersion, whole.modelVersion);
    await assert.rejects(train({ iterations: 0 }), isCode('INVALID_ARGUMENT'));
  });

  it('stops early where validation does not get better', async () => {
    const report = await train({ iterations: 50, learningRate: 1e-9, validationEvery: 2, patience: 2 });
    assert.equal(report.iterations, 6);
    assert.equal(report.chosenIteration, 2);
  });
});

describe('training that cannot go well', () => {
  it('says that the loss is not a number, and writes no model', async () => {
    const outFolder = newFolder();
    await assert.rejects(
      train({ learningRate: 10, gradientNormMax: 0, iterations: 40 }, { outFolder }),
      isCode('TRAINING_DIVERGED'),
    );
    assert.deepEqual(await readdir(outFolder), []);
  });

  it('says that there are fewer images than a batch', async () => {
    await assert.rejects(train({ batchSize: 200 }), isCode('INVALID_TRAINING_DATA'));
  });

  it('says that all pixels are the same', async () => {
    const flat: LabelledImages = { ...images, pixels: new Uint8Array(images.pixels.length).fill(9) };
    await assert.rejects(train({}, { images: flat }), isCode('INVALID_TRAINING_DATA'));
  });

  it('names every setting that is out of range', () => {
    assert.throws(
      () => resolveTrainingSettings({ learningRate: -1, batchSize: 2.5 }),
      (error: unknown) =>
        error instanceof KinscanError &&
        /batchSize.*learningRate|learningRate.*batchSize/.test(error.message),
    );
  });
});

describe('the settings', () => {
  it('lower the learning rate by 40 % after every step', () => {
    const settings = resolveTrainingSettings({
      learningRate: 0.001,
      learningRateDecay: 'steps',
      learningRateStep: 100,
      warmUpIterations: 0,
    });
    assert.equal(learningRateAt(settings, 0), 0.001);
    assert.equal(learningRateAt(settings, 99), 0.001);
    assert.ok(Math.abs(learningRateAt(settings, 100) - 0.0006) < 1e-12);
    assert.ok(Math.abs(learningRateAt(settings, 250) - 0.00036) < 1e-12);
  });

  it('lower the learning rate along a half cosine', () => {
    const settings = resolveTrainingSettings({
      learningRate: 0.001,
      learningRateDecay: 'cosine',
      iterations: 100,
      warmUpIterations: 0,
    });
    assert.equal(learningRateAt(settings, 0), 0.001);
    assert.ok(Math.abs(learningRateAt(settings, 50) - 0.0005) < 1e-12);
    assert.ok(Math.abs(learningRateAt(settings, 75) - 0.0005 * (1 - Math.SQRT1_2)) < 1e-12);
    assert.ok(Math.abs(learningRateAt(settings, 100)) < 1e-12);
  });

  it('raise the learning rate over the first iterations', () => {
    const settings = resolveTrainingSettings({
      learningRate: 0.001,
      learningRateDecay: 'steps',
      learningRateStep: 100,
      warmUpIterations: 4,
    });
    const rates = [0, 1, 2, 3, 4, 99, 100].map((iteration) => learningRateAt(settings, iteration));
    const expected = [0.00025, 0.0005, 0.00075, 0.001, 0.001, 0.001, 0.0006];
    rates.forEach((rate, i) => assert.ok(Math.abs(rate - (expected[i] as number)) < 1e-12, String(rates)));
  });

  it('tell runs of different lengths apart where the rate depends on the length', () => {
    const fingerprint = (given: Partial<TrainingSettings>): string =>
      trainingFingerprint(resolveTrainingSettings(given), images, { weights: new Map(), carriedBits: 0 });
    const steps = { learningRateDecay: 'steps' } as const;
    assert.equal(fingerprint({ ...steps, iterations: 100 }), fingerprint({ ...steps, iterations: 200 }));
    assert.notEqual(
      fingerprint({ learningRateDecay: 'cosine', iterations: 100 }),
      fingerprint({ learningRateDecay: 'cosine', iterations: 200 }),
    );
  });

  it('take twice the code length as the margin unless told otherwise', () => {
    assert.equal(resolveTrainingSettings({ codeBits: 32 }).margin, 64);
    assert.equal(resolveTrainingSettings({ codeBits: 32, margin: 5 }).margin, 5);
  });
});
