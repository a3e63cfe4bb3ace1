import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hammingDistance } from '../../src/core/code.js';
import { packageRoot } from '../../src/runtime/package-root.js';
import { freePort } from '../helpers/nats-server.js';
import { startHarness, type EncoderHarness } from './encoder-harness.js';
import { phantomPng } from './test-images.js';

describe('encoders with different engines', () => {
  let harness: EncoderHarness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness.stop());

  const ingest = async (prefix: string) => {
    for (let n = 0; n < 6; n++) {
      await harness.publish({ ingest: { imageId: `${prefix}-${n}`, content: await phantomPng(n) } });
    }
    await harness.queueIsEmpty();
  };

  it('give the same embeddings and may share a cluster', async () => {
    const onnx = await harness.start();
    await ingest('onnx');
    await onnx.drain();
    const tfjs = await harness.start(['--engine', 'tfjs']);
    assert.equal(tfjs.modelVersion, onnx.modelVersion);
    await ingest('tfjs');
    await tfjs.drain();
    const records = await harness.records();
    for (let n = 0; n < 6; n++) {
      const [a, b] = ['onnx', 'tfjs'].map((prefix) => records.get(`${prefix}-${n}`));
      assert.ok(a?.code && b?.code);
      assert.ok(Math.abs(a.embeddingScale - b.embeddingScale) < 1e-6);
      a.embedding.forEach((_, i) => {
        assert.ok(
          Math.abs(a.embedding.readInt8(i) - b.embedding.readInt8(i)) <= 1,
          `value ${i} of image ${n}`,
        );
      });
      // a value next to 0 may fall on either side
      const unsure = a.embedding.filter((byte) => byte === 0 || byte === 255 || byte === 1).length;
      assert.ok(hammingDistance(a.code.bits, b.code.bits) <= unsure);
    }
  });

  it('tell what they do at /metrics, all of it documented', async () => {
    const httpPort = await freePort();
    const encoder = await harness.start(['--http-port', String(httpPort)]);
    await ingest('counted');
    const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    assert.match(text, /^kinscan_encoder_images_total\{role="encoder"\} 6$/m);
    assert.match(text, /^kinscan_encoder_in_flight_images\{role="encoder"\} \d+$/m);
    assert.equal((await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status, 200);
    const documented = readFileSync(path.join(packageRoot(), 'docs', 'encoding.md'), 'utf8');
    const names = [...text.matchAll(/^# TYPE (kinscan_\w+)/gm)].map(([, name = '']) => name);
    assert.ok(names.length >= 10);
    assert.deepEqual(
      names.filter((name) => !documented.includes(name)),
      [],
    );
    await encoder.drain();
  });
});
