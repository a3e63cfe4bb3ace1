import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { packEmbeddings } from '../../src/core/packed-codes.js';
import { SMALL_CHANGE } from '../../src/model/augmentation.js';
import { calibrateHashLayer } from '../../src/model/calibrate-hash-layer.js';
import { BatchSampler } from '../../src/model/batch-sampler.js';
import { standardisedBatch } from '../../src/model/image-batch.js';
import { layerOutputs } from '../../src/model/held-out-score.js';
import { ACTIVATION_UNITS, hashingNetwork } from '../../src/model/network.js';
import { seededRandom } from '../../src/model/seeded-random.js';
import { settleHead, type SettleContext } from '../../src/model/settle-head.js';
import { useTfBackend } from '../../src/model/tf-backend.js';
import { TrainableNetwork } from '../../src/model/trainable-network.js';
import { splitByClass, standardisationOf } from '../../src/model/training-set.js';
import { resolveTrainingSettings } from '../../src/model/training-settings.js';
import { initialWeights, type Weights } from '../../src/model/weights.js';
import { syntheticShapes } from './synthetic-shapes.js';

const images = syntheticShapes(40, 16, 1);
const settings = resolveTrainingSettings({
  codeBits: 16,
  inputSize: 16,
  batchSize: 24,
  settleIterations: 60,
});
const network = hashingNetwork({ inputSize: settings.inputSize, codeBits: settings.codeBits });
const { training, validation } = splitByClass(images, 0.2, 1);
const standardisation = standardisationOf(images, training);

function contextWith(more: Partial<SettleContext> = {}): SettleContext {
  const sampler = new BatchSampler(images.labels, training, 3, 0.5);
  const rest = { settled: () => undefined, stopRequested: () => false, ...more };
  return { images, training, standardisation, sampler, settings, ...rest };
}

/** Every unit of the hash layer around 0, as training starts: many images lie near a border between codes. */
function calibratedWeights(): Weights {
  const weights = initialWeights(network, 1);
  const trainable = new TrainableNetwork(network, weights);
  const units = ACTIVATION_UNITS;
  const activations = layerOutputs(trainable, images, training, standardisation, 'fc1', units);
  trainable.close();
  return calibrateHashLayer(network, weights, activations, 0);
}

/** Share of held-out images that keep their code under a small change. */
function sameCodeShare(trainable: TrainableNetwork): number {
  const change = { augmentation: SMALL_CHANGE, random: seededRandom(4, 'test changes') };
  const codesOf = (pixels: Float32Array) =>
    packEmbeddings(trainable.run(pixels, validation.length).slice(), settings.codeBits).words;
  const plain = codesOf(standardisedBatch(images, validation, standardisation));
  const changed = codesOf(standardisedBatch(images, validation, standardisation, change));
  return plain.filter((word, row) => word === changed[row]).length / plain.length;
}

describe('settling the head', () => {
  before(() => useTfBackend('wasm'));

  it('makes codes keep under small changes, and leaves the convolutions alone', async () => {
    const trainable = new TrainableNetwork(network, calibratedWeights());
    const [before, shareBefore] = [trainable.weights(), sameCodeShare(trainable)];
    const losses: number[] = [];
    assert.equal(await settleHead(trainable, contextWith({ settled: (_, loss) => losses.push(loss) })), true);
    const shareAfter = sameCodeShare(trainable);
    assert.ok(shareAfter > shareBefore + 0.4, `from ${shareBefore} to ${shareAfter}`);
    assert.equal(losses.length, settings.settleIterations);
    assert.ok((losses.at(-1) as number) < (losses[0] as number));
    const after = trainable.weights();
    for (const [name, values] of before) {
      const same = values.every((value, at) => value === after.get(name)?.[at]);
      assert.equal(same, name.startsWith('conv'), name);
    }
    trainable.close();
  });

  it('says that the loss is not a number', async () => {
    const broken = new Map(initialWeights(network, 1));
    broken.set('fc2/bias', new Float32Array(settings.codeBits).fill(NaN));
    const trainable = new TrainableNetwork(network, broken);
    await assert.rejects(
      settleHead(trainable, contextWith()),
      (error) => error instanceof KinscanError && error.code === 'TRAINING_DIVERGED',
    );
    trainable.close();
  });

  it('stops when it is told to', async () => {
    const trainable = new TrainableNetwork(network, initialWeights(network, 1));
    let steps = 0;
    const context = contextWith({ settled: () => steps++, stopRequested: () => steps === 2 });
    assert.equal(await settleHead(trainable, context), false);
    assert.equal(steps, 2);
    trainable.close();
  });
});
