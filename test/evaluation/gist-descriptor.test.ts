import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../src/core/random.js';
import { FourierTransform, zeroSquare } from '../../src/evaluation/fourier-transform.js';
import { GIST_DIMENSIONS, GIST_IMAGE_SIZE, GistDescriber } from '../../src/evaluation/gist-descriptor.js';

const SIZE = GIST_IMAGE_SIZE;
const image = (valueAt: (x: number, y: number) => number) =>
  Float32Array.from({ length: SIZE * SIZE }, (_, at) => valueAt(at % SIZE, Math.floor(at / SIZE)));

function gistOf(pixels: Float32Array): Float32Array {
  const descriptor = new Float32Array(GIST_DIMENSIONS);
  new GistDescriber().describe(pixels, descriptor);
  return descriptor;
}

/** Energy of each (scale, orientation) over all cells. */
function energyByFilter(descriptor: Float32Array): number[] {
  return Array.from({ length: 32 }, (_, filter) =>
    descriptor.subarray(filter * 16, filter * 16 + 16).reduce((sum, value) => sum + value, 0),
  );
}

const largest = (values: readonly number[]) => values.indexOf(Math.max(...values));

describe('the Fourier transform', () => {
  it('agrees with the sum that defines it and is undone by its inverse', () => {
    const size = 8;
    const random = new Random(1);
    const square = zeroSquare(size);
    for (let i = 0; i < size * size; i++) {
      square.re[i] = random.normal();
      square.im[i] = random.normal();
    }
    const original = { re: square.re.slice(), im: square.im.slice() };
    const transform = new FourierTransform(size);
    transform.forward(square);
    for (const [u, v] of [
      [0, 0],
      [3, 1],
      [7, 5],
    ] as const) {
      let re = 0;
      let im = 0;
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < size; x++) {
          const angle = (-2 * Math.PI * (u * x + v * y)) / size;
          const [a, b] = [original.re[y * size + x] as number, original.im[y * size + x] as number];
          re += a * Math.cos(angle) - b * Math.sin(angle);
          im += a * Math.sin(angle) + b * Math.cos(angle);
        }
      }
      assert.ok(Math.abs((square.re[v * size + u] as number) - re) < 1e-9);
      assert.ok(Math.abs((square.im[v * size + u] as number) - im) < 1e-9);
    }
    transform.inverse(square);
    square.re.forEach((value, i) => assert.ok(Math.abs(value - (original.re[i] as number)) < 1e-12));
  });
});

describe('the GIST descriptor', () => {
  it('is 512 numbers, all zero for an image without structure', () => {
    const descriptor = gistOf(image(() => 0.5));
    assert.equal(descriptor.length, 512);
    assert.ok(descriptor.every((value) => Math.abs(value) < 1e-9));
  });

  it('answers a grating most strongly in the filter of its scale and orientation', () => {
    // 19 cycles per image is scale 0 (0.3 cycles per pixel), 6 is scale 2 (0.088)
    const gratings = [
      { cycles: 19, scale: 0 },
      { cycles: 10, scale: 1 },
      { cycles: 6, scale: 2 },
    ];
    for (const { cycles, scale } of gratings) {
      const vertical = image((x) => 0.5 + 0.2 * Math.cos((2 * Math.PI * cycles * x) / SIZE));
      const horizontal = image((_, y) => 0.5 + 0.2 * Math.cos((2 * Math.PI * cycles * y) / SIZE));
      assert.equal(largest(energyByFilter(gistOf(vertical))), scale * 8);
      assert.equal(largest(energyByFilter(gistOf(horizontal))), scale * 8 + 4);
    }
  });

  it('finds the energy in the cell where the texture is', () => {
    const textured = image((x, y) => (x >= 48 && y < 16 && (x + y) % 3 === 0 ? 0.9 : 0.4));
    const byCell = Array.from({ length: 16 }, (_, cell) =>
      Array.from({ length: 8 }, (_, filter) => gistOf(textured)[filter * 16 + cell] as number).reduce(
        (a, b) => a + b,
      ),
    );
    assert.equal(largest(byCell), 3);
  });
});
