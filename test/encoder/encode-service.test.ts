import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { codeOfEmbedding } from '../../src/core/code.js';
import { KinscanError } from '../../src/core/errors.js';
import type { RunningEncoder } from '../../src/encoder/start-encoder.js';
import type { EncodeRequest } from '../../src/generated/kinscan/v1/EncodeRequest.js';
import type { EncodeResponse__Output } from '../../src/generated/kinscan/v1/EncodeResponse.js';
import { openImage } from '../../src/imaging/decode-image.js';
import { resizeToSquare } from '../../src/imaging/resize.js';
import { openEncodingEngine } from '../../src/model/encoding-engine.js';
import { openGrpcClient, type GrpcClient } from '../../src/runtime/grpc-client.js';
import { MESSAGE_BYTES_MAX_DEFAULT } from '../../src/runtime/message-limits.js';
import { CODE_BITS, INPUT_SIZE, startHarness, type EncoderHarness } from './encoder-harness.js';
import { multiFrameDicom, phantomPng } from './test-images.js';

describe('the Encode call', () => {
  let harness: EncoderHarness;
  let encoder: RunningEncoder;
  let client: GrpcClient;

  before(async () => {
    harness = await startHarness();
    encoder = await harness.start(['--queries-in-flight-max', '2']);
    client = openGrpcClient({
      address: `127.0.0.1:${encoder.port}`,
      service: 'Encoder',
      messageBytesMax: MESSAGE_BYTES_MAX_DEFAULT,
      unavailable: 'ENCODER_UNAVAILABLE',
    });
  });

  after(async () => {
    client.close();
    await harness.stop();
  });

  const encode = (request: EncodeRequest, timeoutMs = 20_000) =>
    client.call<EncodeRequest, EncodeResponse__Output>('Encode', request, { timeoutMs });

  it('answers with the code of the frame that was asked for, the same as ingest gives', async () => {
    const image = multiFrameDicom(5);
    const engine = await openEncodingEngine(harness.modelFolder, { engine: 'onnx' });
    const opened = await openImage(image);
    const codes = new Set<string>();
    await harness.publish({ ingest: { imageId: '1.2.3', content: image } });
    await harness.queueIsEmpty();
    const records = await harness.records();
    for (const frameNumber of [0, 1, 5]) {
      const { frame } = await opened.readFrame(Math.max(0, frameNumber - 1));
      const embedding = await engine.encode(resizeToSquare(frame, INPUT_SIZE), 1);
      const response = await encode({ image, frameNumber });
      assert.deepEqual(new Uint8Array(response.code?.bits ?? []), codeOfEmbedding(embedding));
      assert.deepEqual(response.code?.bits, records.get(`1.2.3#${Math.max(1, frameNumber)}`)?.code?.bits);
      assert.equal(response.code?.codeBits, CODE_BITS);
      assert.equal(response.modelVersion, engine.modelVersion);
      response.embedding.forEach((value, i) => assert.ok(Math.abs(value - (embedding[i] ?? NaN)) < 1e-5));
      codes.add(response.embedding.join());
    }
    assert.equal(codes.size, 2, 'frame 0 means frame 1; frame 5 is another');
    await engine.close();
  });

  it('refuses what it cannot decode with the reason', async () => {
    await assert.rejects(encode({ image: new Uint8Array(0) }), { code: 'EMPTY_IMAGE' });
    await assert.rejects(encode({ image: Buffer.from('no image') }), { code: 'UNSUPPORTED_FORMAT' });
    await assert.rejects(encode({ image: multiFrameDicom(2), frameNumber: 3 }), { code: 'INVALID_ARGUMENT' });
  });

  it('answers in time although bulk work is waiting', async () => {
    const content = await phantomPng(1);
    const image = await phantomPng(2);
    let isAsking = true;
    const publishing = Promise.all(
      Array.from({ length: 32 }, async (_, lane) => {
        for (let n = 0; isAsking; n++)
          await harness.publish({ ingest: { imageId: `bulk-${lane}-${n}`, content } });
      }),
    );
    let overtaken = 0;
    for (let n = 0; n < 10; n++) {
      await encode({ image });
      const { state } = await (await harness.connection.jetstreamManager()).streams.info('IMAGES');
      if (state.messages > 0) overtaken++;
    }
    isAsking = false;
    await publishing;
    assert.ok(overtaken > 0, 'queries were answered while images waited');
    await harness.queueIsEmpty();
  });

  it('refuses queries above its limit and says when to come again', async () => {
    const image = await phantomPng(3);
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => encode({ image })));
    const refused = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason as unknown] : [],
    );
    assert.ok(refused.length > 0 && refused.length < 20, `${refused.length} of 20 were refused`);
    for (const error of refused) {
      assert.ok(error instanceof KinscanError);
      assert.equal(error.code, 'OVERLOADED');
      assert.ok((error.retryAfterMs ?? 0) > 0);
    }
  });

  it('gives up at the deadline of the client', async () => {
    await assert.rejects(encode({ image: await phantomPng(4) }, 0), { code: 'DEADLINE_EXCEEDED' });
  });
});
