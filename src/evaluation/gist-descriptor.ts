import { type ComplexSquare, FourierTransform, zeroSquare } from './fourier-transform.js';

const SCALES = 4;
const ORIENTATIONS = 8;
const GRID = 4;

/** 4 scales x 8 orientations x 4x4 cells. */
export const GIST_DIMENSIONS = SCALES * ORIENTATIONS * GRID * GRID;
/** Side of the images that are described, in pixels. */
export const GIST_IMAGE_SIZE = 64;

/** Cut-off of the prefilter, in cycles per image. */
const PREFILTER_CYCLES = 4;
/** Keeps the contrast normalisation from blowing up noise in flat regions. */
const CONTRAST_FLOOR = 0.2;

/**
 * The GIST descriptor (A. Oliva, A. Torralba, "Modeling the Shape of the Scene", IJCV 42(3), 2001): how much energy a
 * bank of Gabor filters finds in each cell of a 4x4 grid.
 *
 *   image 64x64 -> log -> minus its low frequencies -> divided by local contrast        (prefilter)
 *               -> 32 filters in the frequency domain: 4 scales x 8 orientations
 *               -> magnitude -> mean over each of 4x4 cells                             = 512 numbers
 *
 * Filter parameters are those of the authors' published program: centre frequency 0.3 / 1.85^scale cycles per pixel,
 * relative bandwidth 0.35, angular width 16 * 8^2 / 32^2. Ours differs in one way: images wrap around at their borders
 * instead of being padded, which matters little where borders are dark.
 */
export class GistDescriber {
  readonly #transform = new FourierTransform(GIST_IMAGE_SIZE);
  readonly #filters: readonly Float64Array[] = gaborBank();
  readonly #lowPass: Float64Array = gaussianLowPass();
  readonly #image: ComplexSquare = zeroSquare(GIST_IMAGE_SIZE);
  readonly #work: ComplexSquare = zeroSquare(GIST_IMAGE_SIZE);

  /**
   * @param pixels shape [64, 64], 0 to 1
   * @param descriptor filled in; shape [512]: (scale, orientation, cell row, cell column), each >= 0
   */
  describe(pixels: ArrayLike<number>, descriptor: Float32Array): void {
    this.#prefilter(pixels);
    this.#transform.forward(this.#image);
    this.#filters.forEach((filter, index) => {
      this.#applyFilter(this.#image, filter);
      this.#averageCells(descriptor.subarray(index * GRID * GRID, (index + 1) * GRID * GRID));
    });
  }

  /** Leaves the whitened, contrast-normalised image in #image. */
  #prefilter(pixels: ArrayLike<number>): void {
    const { re, im } = this.#image;
    im.fill(0);
    for (let i = 0; i < re.length; i++) re[i] = Math.log1p(255 * (pixels[i] as number));
    const low = this.#lowPassOf(re);
    for (let i = 0; i < re.length; i++) re[i] = (re[i] as number) - (low[i] as number);
    const energy = this.#lowPassOf(re.map((value) => value * value));
    for (let i = 0; i < re.length; i++) {
      re[i] = (re[i] as number) / (CONTRAST_FLOOR + Math.sqrt(Math.abs(energy[i] as number)));
    }
  }

  #lowPassOf(values: Float64Array): Float64Array {
    const square = zeroSquare(GIST_IMAGE_SIZE);
    square.re.set(values);
    this.#transform.forward(square);
    this.#applyFilter(square, this.#lowPass);
    return this.#work.re.slice();
  }

  /** Leaves the filtered image in #work. */
  #applyFilter(spectrum: ComplexSquare, filter: Float64Array): void {
    const { re, im } = this.#work;
    for (let i = 0; i < filter.length; i++) {
      re[i] = (spectrum.re[i] as number) * (filter[i] as number);
      im[i] = (spectrum.im[i] as number) * (filter[i] as number);
    }
    this.#transform.inverse(this.#work);
  }

  #averageCells(cells: Float32Array): void {
    const { re, im } = this.#work;
    const side = GIST_IMAGE_SIZE / GRID;
    cells.fill(0);
    for (let row = 0; row < GIST_IMAGE_SIZE; row++) {
      for (let column = 0; column < GIST_IMAGE_SIZE; column++) {
        const at = row * GIST_IMAGE_SIZE + column;
        const cell = Math.floor(row / side) * GRID + Math.floor(column / side);
        const magnitude = Math.sqrt((re[at] as number) ** 2 + (im[at] as number) ** 2);
        cells[cell] = (cells[cell] as number) + magnitude / (side * side);
      }
    }
  }
}

/** The bank's transfer functions, in the order of the transform's frequencies (zero frequency first). */
function gaborBank(): Float64Array[] {
  const bank: Float64Array[] = [];
  for (let scale = 0; scale < SCALES; scale++) {
    for (let orientation = 0; orientation < ORIENTATIONS; orientation++) {
      bank.push(gaborFilter(0.3 / 1.85 ** scale, (Math.PI * orientation) / ORIENTATIONS));
    }
  }
  return bank;
}

function gaborFilter(cyclesPerPixel: number, angle: number): Float64Array {
  const bandwidth = 0.35;
  const angularWidth = (16 * ORIENTATIONS ** 2) / 32 ** 2;
  return overFrequencies((u, v) => {
    const radius = Math.hypot(u, v) / GIST_IMAGE_SIZE;
    let turned = Math.atan2(v, u) + angle;
    if (turned < -Math.PI) turned += 2 * Math.PI;
    if (turned > Math.PI) turned -= 2 * Math.PI;
    const radial = 10 * bandwidth * (radius / cyclesPerPixel - 1) ** 2;
    return Math.exp(-radial - 2 * angularWidth * Math.PI * turned * turned);
  });
}

/** Falls to one half at PREFILTER_CYCLES. */
function gaussianLowPass(): Float64Array {
  const width = PREFILTER_CYCLES / Math.sqrt(Math.LN2);
  return overFrequencies((u, v) => Math.exp(-(u * u + v * v) / (width * width)));
}

/** @param valueAt of frequencies in cycles per image, from -size/2 to size/2 - 1: u along rows of pixels, v across */
function overFrequencies(valueAt: (u: number, v: number) => number): Float64Array {
  const size = GIST_IMAGE_SIZE;
  const signed = (i: number) => (i < size / 2 ? i : i - size);
  return Float64Array.from({ length: size * size }, (_, at) =>
    valueAt(signed(at % size), signed(Math.floor(at / size))),
  );
}
