import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import sharp from 'sharp';
import fc from 'fast-check';
import { isPlainGrayJpeg } from '../../src/imaging/plain-jpeg.js';

const gray = (width: number, height: number) =>
  sharp(Buffer.from(Array.from({ length: width * height }, (_, i) => (i * 7919) & 255)), {
    raw: { width, height, channels: 1 },
  }).toColourspace('b-w');

const isPlain = (bytes: Uint8Array) => isPlainGrayJpeg(bytes, 128, 32_768);

describe('a JPEG that may be its own thumbnail', () => {
  it('is a small gray one', async () => {
    assert.ok(isPlain(await gray(64, 48).jpeg().toBuffer()));
    assert.ok(isPlain(await gray(128, 128).jpeg({ quality: 100 }).toBuffer()));
  });

  it('is not one of more pixels or bytes, of colour, or progressive', async () => {
    assert.ok(!isPlain(await gray(129, 10).jpeg().toBuffer()));
    assert.ok(!isPlainGrayJpeg(await gray(64, 64).jpeg().toBuffer(), 128, 500));
    const colour = sharp({ create: { width: 9, height: 9, channels: 3, background: '#333' } });
    assert.ok(!isPlain(await colour.jpeg().toBuffer()));
    assert.ok(!isPlain(await gray(64, 64).jpeg({ progressive: true }).toBuffer()));
    assert.ok(!isPlain(await gray(64, 64).png().toBuffer()));
  });

  it('is not one that carries anything but the picture', async () => {
    const plain = await gray(32, 32).jpeg().toBuffer();
    const exif = gray(32, 32).withExif({ IFD0: { Artist: 'Doe^Jane' } });
    assert.ok(!isPlain(await exif.jpeg().toBuffer()), 'EXIF');
    const comment = Buffer.from([0xff, 0xfe, 0, 6, 0x4a, 0x61, 0x6e, 0x65]);
    assert.ok(!isPlain(Buffer.concat([plain.subarray(0, 2), comment, plain.subarray(2)])), 'a comment');
    assert.ok(!isPlain(Buffer.concat([plain, Buffer.from('Jane')])), 'bytes behind the end');
    assert.ok(
      !isPlain(Buffer.concat([plain.subarray(0, -2), comment, plain.subarray(-2)])),
      'a comment behind the scan',
    );
  });

  it('is never one that was cut or is no JPEG at all', async () => {
    const plain = await gray(40, 40).jpeg().toBuffer();
    for (let length = 0; length < plain.length; length++) assert.ok(!isPlain(plain.subarray(0, length)));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => !isPlain(bytes)));
  });
});
