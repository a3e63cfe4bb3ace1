import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeImage } from '../../src/imaging/decode-image.js';
import type { GrayFrame } from '../../src/imaging/gray-frame.js';
import { imageFormatOf } from '../../src/imaging/image-format.js';
import { encodeThumbnail } from '../../src/imaging/thumbnail.js';

function ramp(width: number, height: number): GrayFrame {
  return {
    width,
    height,
    pixels: Float32Array.from({ length: width * height }, (_, i) => (i % width) / width),
  };
}

describe('thumbnails', () => {
  for (const [width, height, expected] of [
    [512, 256, [96, 48]],
    [100, 400, [24, 96]],
    [64, 64, [64, 64]],
    [5000, 1, [96, 1]],
  ] as const) {
    it(`makes a JPEG of ${expected.join(' x ')} from ${width} x ${height}`, async () => {
      const bytes = await encodeThumbnail(ramp(width, height), { edgeMaxPixels: 96 });
      assert.equal(imageFormatOf(bytes), 'jpeg');
      const { frame } = await decodeImage(bytes);
      assert.deepEqual([frame.width, frame.height], expected);
      const [left, right] = [frame.pixels[1] as number, frame.pixels[frame.width - 2] as number];
      assert.ok(left < 0.1 && right > 0.9);
      assert.ok(bytes.length < 4_000);
    });
  }
});
