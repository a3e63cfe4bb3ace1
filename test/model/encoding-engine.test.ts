import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { openEncodingEngine, type EncodingEngine } from '../../src/model/encoding-engine.js';
import { seededRandom } from '../../src/model/seeded-random.js';
import { packageRoot } from '../../src/runtime/package-root.js';
import { writeSmallModel } from './small-model.js';

const INPUT_SIZE = 24;
const CODE_BITS = 16;
const FINE_CODE_BITS = 64;
const TOLERANCE = 1e-4;

function randomPixels(count: number, inputSize: number): Float32Array {
  const random = seededRandom(2, 'engine test');
  return Float32Array.from({ length: count * inputSize ** 2 }, () => random.uniform());
}

function greatestDifference(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((greatest, value, at) => Math.max(greatest, Math.abs(value - (b[at] as number))), 0);
}

let folder: string;
before(async () => {
  folder = await writeSmallModel({
    inputSize: INPUT_SIZE,
    codeBits: CODE_BITS,
    fineCodeBits: FINE_CODE_BITS,
  });
});
after(() => rm(folder, { recursive: true, force: true }));

/** What every engine promises. */
function encodingEngineContract(kind: 'onnx' | 'tfjs'): void {
  describe(`the ${kind} encoding engine`, () => {
    let engine: EncodingEngine;
    before(async () => {
      engine = await openEncodingEngine(folder, { engine: kind });
    });
    after(() => engine.close());

    it('says what model it runs', () => {
      assert.match(engine.modelVersion, /^[0-9a-f]{64}$/);
      assert.equal(engine.codeBits, CODE_BITS);
      assert.equal(engine.inputSize, INPUT_SIZE);
      assert.equal(engine.fineCodeBits, FINE_CODE_BITS);
    });

    it('gives one embedding for each image, whatever the size of the batch', async () => {
      const pixels = randomPixels(64, INPUT_SIZE);
      const together = await engine.encode(pixels, 64);
      assert.equal(together.length, 64 * CODE_BITS);
      for (const row of [0, 17, 63]) {
        const alone = await engine.encode(
          pixels.slice(row * INPUT_SIZE ** 2, (row + 1) * INPUT_SIZE ** 2),
          1,
        );
        const difference = greatestDifference(alone, together.slice(row * CODE_BITS, (row + 1) * CODE_BITS));
        assert.ok(difference < TOLERANCE, `row ${row} differs by ${difference}`);
      }
      assert.ok(
        greatestDifference(together.slice(0, CODE_BITS), together.slice(CODE_BITS, 2 * CODE_BITS)) > 1e-3,
      );
    });

    it('keeps its results when it encodes again', async () => {
      const first = await engine.encode(randomPixels(2, INPUT_SIZE), 2);
      const copy = first.slice();
      await engine.encode(new Float32Array(2 * INPUT_SIZE ** 2), 2);
      assert.deepEqual(first, copy);
    });

    it('gives the same embeddings with the fine ones beside them', async () => {
      const pixels = randomPixels(5, INPUT_SIZE);
      const { embeddings, fineEmbeddings } = await engine.encodeFine(pixels, 5);
      assert.ok(greatestDifference(embeddings, await engine.encode(pixels, 5)) < TOLERANCE);
      assert.equal(fineEmbeddings.length, 5 * FINE_CODE_BITS);
    });

    it('refuses pixels of another shape', async () => {
      await assert.rejects(engine.encode(new Float32Array(10), 1), /shape/);
    });
  });
}

encodingEngineContract('onnx');
encodingEngineContract('tfjs');

describe('the two engines', () => {
  const assertParity = async (model: string, inputSize: number, count: number): Promise<void> => {
    const onnx = await openEncodingEngine(model, { engine: 'onnx' });
    const tfjs = await openEncodingEngine(model, { engine: 'tfjs' });
    try {
      const pixels = randomPixels(count, inputSize);
      const [a, b] = [await onnx.encodeFine(pixels, count), await tfjs.encodeFine(pixels, count)];
      for (const output of ['embeddings', 'fineEmbeddings'] as const) {
        const difference = greatestDifference(a[output], b[output]);
        assert.ok(difference < TOLERANCE, `${output} differ by ${difference}`);
        a[output].forEach((value, at) => {
          if (Math.abs(value) > 1e-3)
            assert.equal(value >= 0, (b[output][at] as number) >= 0, `bit ${at} of ${output}`);
        });
      }
    } finally {
      await onnx.close();
      await tfjs.close();
    }
  };

  it('give the same embeddings and bits', () => assertParity(folder, INPUT_SIZE, 64));

  it('give the same embeddings and bits where the sides are odd', async () => {
    const odd = await writeSmallModel({ inputSize: 27, codeBits: 8, fineCodeBits: 8 });
    await assertParity(odd, 27, 9).finally(() => rm(odd, { recursive: true, force: true }));
  });

  const defaultModel = path.join(packageRoot(), 'models', 'default');
  it(
    'give the same embeddings and bits with the default model',
    { skip: !existsSync(defaultModel) && 'models/default is absent' },
    () => assertParity(defaultModel, 64, 24),
  );

  it('are refused with a typed error where there is no model', async () => {
    await assert.rejects(
      openEncodingEngine(path.join(folder, 'nothing')),
      (error) => error instanceof KinscanError && error.code === 'INVALID_MODEL',
    );
  });
});
