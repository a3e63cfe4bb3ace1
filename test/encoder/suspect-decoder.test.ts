import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { SuspectDecoder } from '../../src/encoder/suspect-decoder.js';
import { decodeImage } from '../../src/imaging/decode-image.js';
import { DEFAULT_IMAGE_LIMITS } from '../../src/imaging/image-limits.js';
import { resizeToSquare } from '../../src/imaging/resize.js';
import { createLog } from '../../src/runtime/log.js';
import { phantomPng } from './test-images.js';

const settings = {
  limits: DEFAULT_IMAGE_LIMITS,
  inputSize: 32,
  thumbnailEdgeMaxPixels: 128,
  patientHashKey: '',
};
const log = createLog('test', 'test', 'silent');
const request = (bytes: Uint8Array) => ({ bytes, firstFrame: 0, framesMax: 1, withThumbnails: true });

describe('the decoder of suspects', () => {
  const decoder = new SuspectDecoder({ settings, log });
  after(() => decoder.close());

  it('gives the same pixels as the decode threads', async () => {
    const png = await phantomPng(5);
    const { images, frameCount } = await decoder.decode(request(png));
    assert.equal(frameCount, 1);
    assert.deepEqual(images[0]?.pixels, resizeToSquare((await decodeImage(png)).frame, 32));
    assert.equal((await decodeImage(images[0]?.thumbnail ?? new Uint8Array())).frame.width, 128);
  });

  it('gives the reason of an image that cannot be decoded', async () => {
    await assert.rejects(decoder.decode(request(Buffer.from('nothing'))), { code: 'UNSUPPORTED_FORMAT' });
  });
});

describe('an image that crashes its decoder natively', () => {
  const processFile = new URL('./dying-suspect-process.js', import.meta.url);
  const decoder = new SuspectDecoder({ settings, log, processFile });
  after(() => decoder.close());

  it('is found out alone: those before and behind it are decoded', async () => {
    const files = [1, 13, 2, 13, 3].map((first) => Uint8Array.of(first));
    const outcomes = await Promise.allSettled(files.map((bytes) => decoder.decode(request(bytes))));
    assert.deepEqual(
      outcomes.map((outcome) =>
        outcome.status === 'fulfilled' ? outcome.value.frameCount : (outcome.reason as { code: string }).code,
      ),
      [1, 'TOO_MANY_ATTEMPTS', 2, 'TOO_MANY_ATTEMPTS', 3],
    );
  });
});
