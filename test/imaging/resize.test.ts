import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { GrayFrame } from '../../src/imaging/gray-frame.js';
import { resize, resizeToSquare } from '../../src/imaging/resize.js';

function frameOf(width: number, height: number, gray: (x: number, y: number) => number): GrayFrame {
  const pixels = Float32Array.from({ length: width * height }, (_, i) =>
    gray(i % width, Math.floor(i / width)),
  );
  return { width, height, pixels };
}

const sizes = fc.integer({ min: 1, max: 40 });
const frames = fc
  .record({ width: sizes, height: sizes, seed: fc.integer() })
  .map(({ width, height, seed }) =>
    frameOf(width, height, (x, y) => Math.abs(Math.sin(seed + x * 12.9 + y * 78.2))),
  );

describe('resizing', () => {
  it('returns the same array where the size is right already', () => {
    const frame = frameOf(8, 8, (x) => x / 8);
    assert.equal(resizeToSquare(frame, 8), frame.pixels);
  });

  it('keeps an even gray, and stays within the darkest and the brightest pixel', () => {
    fc.assert(
      fc.property(frames, sizes, sizes, (frame, width, height) => {
        const { pixels } = resize(frame, width, height);
        assert.equal(pixels.length, width * height);
        const [low, high] = [Math.min(...frame.pixels), Math.max(...frame.pixels)];
        assert.ok(pixels.every((value) => value >= low - 1e-6 && value <= high + 1e-6));
        const even = resize({ ...frame, pixels: frame.pixels.map(() => 0.3) }, width, height);
        assert.ok(even.pixels.every((value) => Math.abs(value - 0.3) < 1e-6));
      }),
    );
  });

  it('turns with the image: resizing a transposed or mirrored frame gives the same, transposed or mirrored', () => {
    fc.assert(
      fc.property(frames, sizes, sizes, (frame, width, height) => {
        const { pixels } = resize(frame, width, height);
        const { width: w, height: h } = frame;
        const transposed = resize(
          frameOf(h, w, (x, y) => frame.pixels[x * w + y] as number),
          height,
          width,
        );
        const mirrored = resize(
          frameOf(w, h, (x, y) => frame.pixels[y * w + (w - 1 - x)] as number),
          width,
          height,
        );
        pixels.forEach((value, index) => {
          const x = index % width;
          const y = Math.floor(index / width);
          assert.ok(Math.abs((transposed.pixels[x * height + y] as number) - value) < 1e-5);
          assert.ok(Math.abs((mirrored.pixels[y * width + (width - 1 - x)] as number) - value) < 1e-5);
        });
      }),
    );
  });

  it('does not alias: fine stripes shrink to their mean', () => {
    const stripes = frameOf(512, 512, (x) => x % 2);
    const inner = resizeToSquare(stripes, 64).filter((_, index) => index % 64 > 0 && index % 64 < 63);
    assert.ok(inner.every((value) => Math.abs(value - 0.5) < 0.01));
  });

  it('keeps a ramp a ramp, both smaller and larger', () => {
    for (const size of [16, 200]) {
      const pixels = resizeToSquare(
        frameOf(64, 64, (x) => (x + 0.5) / 64),
        size,
      );
      for (let x = Math.ceil(size / 32); x < size - Math.ceil(size / 32); x++) {
        assert.ok(Math.abs((pixels[x] as number) - (x + 0.5) / size) < 1e-5);
      }
    }
  });

  it('stretches what is not square', () => {
    const wide = frameOf(40, 10, (x) => (x < 20 ? 0 : 1));
    const pixels = resizeToSquare(wide, 10);
    assert.deepEqual(Array.from(pixels.slice(0, 4)), [0, 0, 0, 0]);
    assert.deepEqual(Array.from(pixels.slice(6, 10)), [1, 1, 1, 1]);
  });
});
