import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeImage, openImage } from '../../src/imaging/decode-image.js';
import type { GrayFrame } from '../../src/imaging/gray-frame.js';
import { DEFAULT_IMAGE_LIMITS } from '../../src/imaging/image-limits.js';
import { emptyPng, rasterOf, wideTiff } from '../helpers/raster-builder.js';

async function decode(bytes: Uint8Array): Promise<GrayFrame> {
  return (await decodeImage(bytes)).frame;
}

function assertGrays(frame: GrayFrame, expected: readonly number[], tolerance: number): void {
  assert.equal(frame.pixels.length, expected.length);
  expected.forEach((gray, index) => {
    const actual = frame.pixels[index] as number;
    assert.ok(Math.abs(actual - gray) <= tolerance, `pixel ${index} is ${actual}, not ${gray}`);
  });
}

const RAMP = Uint8Array.from({ length: 256 }, (_, index) => index);
const RAMP_16 = Uint16Array.from({ length: 65536 }, (_, index) => index);

describe('decoding PNG, JPEG and TIFF', () => {
  for (const format of ['png', 'tiff'] as const) {
    it(`keeps every level of an 8-bit ${format}`, async () => {
      const bytes = await rasterOf(RAMP, 32, 8).toFormat(format, { compression: 'none' }).toBuffer();
      const image = await openImage(bytes);
      assert.equal(image.format, format);
      assert.equal(image.frameCount, 1);
      const { frame, metadata } = await image.readFrame(0);
      assert.deepEqual({ width: frame.width, height: frame.height }, { width: 32, height: 8 });
      assert.deepEqual(
        frame.pixels,
        Float32Array.from(RAMP, (value) => value / 255),
      );
      assert.deepEqual(metadata, { rows: 8, columns: 32 });
    });

    it(`keeps every level of a 16-bit ${format}`, async () => {
      const bytes = await rasterOf(RAMP_16, 256, 256).toFormat(format, { compression: 'none' }).toBuffer();
      const frame = await decode(bytes);
      assert.deepEqual(
        frame.pixels,
        Float32Array.from(RAMP_16, (value) => value / 65535),
      );
    });
  }

  it('decodes a gray JPEG to nearly the pixels it was made from', async () => {
    const bytes = await rasterOf(RAMP, 16, 16).jpeg({ quality: 95 }).toBuffer();
    assertGrays(
      await decode(bytes),
      Array.from(RAMP, (value) => value / 255),
      0.03,
    );
  });

  const wide = [-500, 0, 500, 1500];
  for (const samples of [Float32Array.from(wide), Int16Array.from(wide), Int32Array.from(wide)]) {
    it(`stretches TIFFs of ${samples.constructor.name} from their least to their greatest value`, async () => {
      assertGrays(await decode(wideTiff(samples, 2, 2)), [0, 0.25, 0.5, 1], 1e-6);
    });
  }

  it('turns pixels as the EXIF orientation says', async () => {
    const stored = Uint8Array.from([0, 255, 255, 0, 255, 255]);
    // orientation 6: the stored rows are columns from right to left
    const bytes = await rasterOf(stored, 3, 2).withMetadata({ orientation: 6 }).png().toBuffer();
    const frame = await decode(bytes);
    assert.deepEqual({ width: frame.width, height: frame.height }, { width: 2, height: 3 });
    assertGrays(frame, [0, 0, 1, 1, 1, 1], 0);
  });

  it('lays transparent pixels on black', async () => {
    const bytes = await rasterOf(Uint8Array.from([255, 255, 255, 0, 255, 128]), 3, 1, 2)
      .png()
      .toBuffer();
    assertGrays(await decode(bytes), [1, 0, 128 / 255], 0.005);
  });

  it('lays transparent 16-bit pixels on black', async () => {
    const bytes = await rasterOf(
      Uint16Array.from([65535, 65535, 65535, 65535, 65535, 65535, 65535, 0]),
      2,
      1,
      4,
    )
      .png()
      .toBuffer();
    assertGrays(await decode(bytes), [1, 0], 0.001);
  });

  it('gives gray colours their own level, in sRGB, palette and CMYK', async () => {
    const rgb = Uint8Array.from(RAMP.slice(0, 64), (value) => value * 4).reduce<number[]>((all, gray) => {
      all.push(gray, gray, gray);
      return all;
    }, []);
    const grays = Array.from({ length: 64 }, (_, index) => (index * 4) / 255);
    const raster = rasterOf(Uint8Array.from(rgb), 8, 8, 3);
    assertGrays(await decode(await raster.clone().png().toBuffer()), grays, 0.005);
    assertGrays(await decode(await raster.clone().png({ palette: true }).toBuffer()), grays, 0.01);
    const cmyk = await raster.clone().toColourspace('cmyk').tiff({ compression: 'none' }).toBuffer();
    const { pixels } = await decode(cmyk);
    for (let i = 1; i < 64; i++) assert.ok((pixels[i] as number) >= (pixels[i - 1] as number) - 0.01);
    assert.ok((pixels[63] as number) - (pixels[0] as number) > 0.5);
  });

  it('weighs green above red above blue', async () => {
    const bytes = await rasterOf(Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255]), 3, 1, 3)
      .png()
      .toBuffer();
    const [red, green, blue] = (await decode(bytes)).pixels as unknown as [number, number, number];
    assert.ok(green > red && red > blue && blue > 0);
  });
});

describe('refusing PNG, JPEG and TIFF', () => {
  it('refuses a decompression bomb from its header', async () => {
    await assert.rejects(decodeImage(emptyPng(30_000, 30_000)), { code: 'PIXEL_LIMIT_EXCEEDED' });
  });

  it('refuses a JPEG whose header declares too many pixels', async () => {
    const bytes = new Uint8Array(await rasterOf(RAMP, 16, 16).jpeg().toBuffer());
    const frameHeader = Buffer.from(bytes.buffer).indexOf(Buffer.from([0xff, 0xc0]));
    bytes.set([0xff, 0xdc, 0xff, 0xdc], frameHeader + 5);
    await assert.rejects(decodeImage(bytes), { code: 'PIXEL_LIMIT_EXCEEDED' });
  });

  it('counts pixels against the limit it is given, for every format', async () => {
    const limits = { ...DEFAULT_IMAGE_LIMITS, pixelsMax: 255 };
    for (const format of ['png', 'jpeg', 'tiff'] as const) {
      const bytes = await rasterOf(RAMP, 16, 16).toFormat(format).toBuffer();
      await assert.rejects(decodeImage(bytes, limits), { code: 'PIXEL_LIMIT_EXCEEDED' }, format);
      await decodeImage(bytes, { ...limits, pixelsMax: 256 });
    }
  });

  for (const format of ['png', 'jpeg', 'tiff'] as const) {
    it(`refuses a truncated ${format}`, async () => {
      const noise = Uint8Array.from({ length: 64 * 64 }, (_, index) => (index * 7919) % 251);
      const bytes = await rasterOf(noise, 64, 64).toFormat(format, { compression: 'none' }).toBuffer();
      for (const share of [0.1, 0.5, 0.9]) {
        const cut = bytes.subarray(0, Math.floor(bytes.length * share));
        await assert.rejects(decodeImage(cut), { code: 'CORRUPT_IMAGE' }, `${share} of the file`);
      }
    });
  }

  it('refuses no bytes, too many bytes, and other formats', async () => {
    await assert.rejects(decodeImage(new Uint8Array()), { code: 'EMPTY_IMAGE' });
    const text = new TextEncoder().encode('this is not a picture, whatever it is called');
    await assert.rejects(decodeImage(text), { code: 'UNSUPPORTED_FORMAT' });
    const gif = await rasterOf(RAMP, 16, 16).gif().toBuffer();
    await assert.rejects(decodeImage(gif), { code: 'UNSUPPORTED_FORMAT' });
    const limits = { ...DEFAULT_IMAGE_LIMITS, bytesMax: 43 };
    await assert.rejects(decodeImage(text, limits), { code: 'IMAGE_TOO_LARGE' });
  });
});
