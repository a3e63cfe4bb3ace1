import assert from 'node:assert/strict';
import { appendFile, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { loadModel, saveModel } from '../../src/model/artefact.js';
import { sizeOfShape } from '../../src/model/network.js';
import { useTfBackend } from '../../src/model/tf-backend.js';
import { tf } from '../../src/model/tf.js';
import { writeSmallModel } from './small-model.js';

describe('a model folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await writeSmallModel({ inputSize: 16, codeBits: 16 });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const file = (name: string): string => path.join(folder, name);
  const assertInvalid = (reason: RegExp): Promise<void> =>
    assert.rejects(
      loadModel(folder),
      (error) =>
        error instanceof KinscanError && error.code === 'INVALID_MODEL' && reason.test(error.message),
    );
  const editManifest = async (edit: (manifest: Record<string, unknown>) => void): Promise<void> => {
    const manifest = JSON.parse(await readFile(file('manifest.json'), 'utf8')) as Record<string, unknown>;
    edit(manifest);
    await writeFile(file('manifest.json'), JSON.stringify(manifest));
  };

  it('loads to what was saved, and saves to the same model version', async () => {
    const model = await loadModel(folder);
    assert.equal(model.network.codeBits, 16);
    assert.equal(model.network.inputSize, 16);
    assert.deepEqual(model.standardisation, { mean: Math.fround(0.31), std: Math.fround(0.22) });
    assert.deepEqual(model.classNames, ['a', 'b']);
    assert.equal(await saveModel(folder, model), model.modelVersion);
  });

  it('has another model version where a weight or the preprocessing differs', async () => {
    const model = await loadModel(folder);
    const bias = (model.weights.get('fc2/bias') as Float32Array).slice();
    bias[0] = (bias[0] as number) + 1e-3;
    const reweighted = await saveModel(folder, {
      ...model,
      weights: new Map([...model.weights, ['fc2/bias', bias]]),
    });
    const restandardised = await saveModel(folder, { ...model, standardisation: { mean: 0, std: 1 } });
    assert.equal(new Set([model.modelVersion, reweighted, restandardised]).size, 3);
  });

  it("holds weights that TF.js's own decoder reads", async () => {
    await useTfBackend('cpu');
    const manifest = JSON.parse(await readFile(file('manifest.json'), 'utf8')) as {
      weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[];
    };
    const bytes = await readFile(file('weights.bin'));
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const decoded = tf.io.decodeWeights(buffer, manifest.weightsManifest[0]?.weights ?? []);
    const model = await loadModel(folder);
    for (const { name, shape } of model.network.parameters) {
      assert.equal(decoded[name]?.size, sizeOfShape(shape));
      assert.deepEqual(decoded[name]?.dataSync(), model.weights.get(name));
    }
  });

  it('is refused where a file is missing', async () => {
    for (const name of ['manifest.json', 'weights.bin', 'model.onnx']) {
      const bytes = await readFile(file(name));
      await rm(file(name));
      await assertInvalid(new RegExp(name));
      await writeFile(file(name), bytes);
    }
    await loadModel(folder);
  });

  it('is refused where the weights are too short, too long or changed', async () => {
    const bytes = await readFile(file('weights.bin'));
    await truncate(file('weights.bin'), bytes.length - 4);
    await assertInvalid(/bytes instead of/);
    await writeFile(file('weights.bin'), bytes);
    await appendFile(file('weights.bin'), 'more');
    await assertInvalid(/bytes instead of/);
    bytes[5] = (bytes[5] as number) ^ 1;
    await writeFile(file('weights.bin'), bytes);
    await assertInvalid(/do not match the model version/);
  });

  it('is refused where the ONNX file was changed', async () => {
    await appendFile(file('model.onnx'), ' ');
    await assertInvalid(/checksum/);
  });

  it('is refused where the manifest is not JSON, lacks a field or has another format', async () => {
    await editManifest((manifest) => delete manifest['mean']);
    await assertInvalid(/mean/);
    await editManifest((manifest) => (manifest['format'] = 'kinscan-model-99'));
    await assertInvalid(/format/);
    await writeFile(file('manifest.json'), '{');
    await assertInvalid(/not JSON/);
  });

  it('is refused where the standardisation or the code length was changed', async () => {
    await editManifest((manifest) => (manifest['mean'] = 0.5));
    await assertInvalid(/do not match the model version/);
    await editManifest((manifest) => (manifest['codeBits'] = 17));
    await assertInvalid(/multiple of 8/);
  });
});
