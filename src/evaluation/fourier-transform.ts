import { assert } from '../core/errors.js';

/** A square of complex numbers, row-major: element (row, column) at row * size + column. */
export interface ComplexSquare {
  readonly size: number;
  readonly re: Float64Array;
  readonly im: Float64Array;
}

export function zeroSquare(size: number): ComplexSquare {
  return { size, re: new Float64Array(size * size), im: new Float64Array(size * size) };
}

/**
 * The two-dimensional discrete Fourier transform of squares of one size, in place (radix 2, Cooley and Tukey 1965).
 *
 *   forward   F(u, v) = sum over x, y of f(x, y) exp(-2 pi i (u x + v y) / size)
 *   inverse   the same with +i, divided by size squared
 */
export class FourierTransform {
  readonly #size: number;
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  readonly #reversed: Int32Array;
  readonly #lineRe: Float64Array;
  readonly #lineIm: Float64Array;

  /** @param size a power of two */
  constructor(size: number) {
    assert(size >= 2 && (size & (size - 1)) === 0, 'the size of a transform is a power of two');
    this.#size = size;
    this.#cos = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.#sin = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
    const bits = Math.log2(size);
    this.#reversed = Int32Array.from({ length: size }, (_, i) => {
      let reversed = 0;
      for (let bit = 0; bit < bits; bit++) reversed |= ((i >> bit) & 1) << (bits - 1 - bit);
      return reversed;
    });
    this.#lineRe = new Float64Array(size);
    this.#lineIm = new Float64Array(size);
  }

  forward(square: ComplexSquare): void {
    this.#transform(square, -1);
  }

  inverse(square: ComplexSquare): void {
    this.#transform(square, 1);
    const scale = 1 / (this.#size * this.#size);
    for (let i = 0; i < square.re.length; i++) {
      square.re[i] = (square.re[i] as number) * scale;
      square.im[i] = (square.im[i] as number) * scale;
    }
  }

  #transform(square: ComplexSquare, sign: 1 | -1): void {
    const size = this.#size;
    assert(square.size === size, 'a transform takes squares of its own size');
    for (let row = 0; row < size; row++) this.#line(square, row * size, 1, sign);
    for (let column = 0; column < size; column++) this.#line(square, column, size, sign);
  }

  /** Transforms `size` elements that stand `stride` apart from `start` on. */
  #line(square: ComplexSquare, start: number, stride: number, sign: 1 | -1): void {
    const size = this.#size;
    const [re, im] = [this.#lineRe, this.#lineIm];
    for (let i = 0; i < size; i++) {
      const from = start + (this.#reversed[i] as number) * stride;
      re[i] = square.re[from] as number;
      im[i] = square.im[from] as number;
    }
    for (let half = 1; half < size; half *= 2) {
      const step = size / (2 * half);
      for (let block = 0; block < size; block += 2 * half) {
        for (let i = 0; i < half; i++) {
          const cos = this.#cos[i * step] as number;
          const sin = sign * (this.#sin[i * step] as number);
          const [a, b] = [block + i, block + i + half];
          const oddRe = (re[b] as number) * cos - (im[b] as number) * sin;
          const oddIm = (re[b] as number) * sin + (im[b] as number) * cos;
          re[b] = (re[a] as number) - oddRe;
          im[b] = (im[a] as number) - oddIm;
          re[a] = (re[a] as number) + oddRe;
          im[a] = (im[a] as number) + oddIm;
        }
      }
    }
    for (let i = 0; i < size; i++) {
      square.re[start + i * stride] = re[i] as number;
      square.im[start + i * stride] = im[i] as number;
    }
  }
}
