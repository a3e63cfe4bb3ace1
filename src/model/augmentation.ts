import type { Random } from '../core/random.js';

/** Largest random change of a training image; 0 everywhere leaves the images as they are. */
export interface Augmentation {
  /** Degrees, either way. */
  readonly rotationDegrees: number;
  /** Share of the side, either way, in both directions. */
  readonly shift: number;
  /** Share of the size, larger or smaller. */
  readonly scale: number;
  /** Share of the gray scale: brightness moves, and contrast stretches, by up to this much. */
  readonly intensity: number;
  /** Standard deviation of the noise added to every pixel, as a share of the gray scale. */
  readonly noise: number;
}

export const NO_AUGMENTATION: Augmentation = {
  rotationDegrees: 0,
  shift: 0,
  scale: 0,
  intensity: 0,
  noise: 0,
};

/** The changes that codes and fine codes are to see through. */
export const SMALL_CHANGE: Augmentation = {
  rotationDegrees: 5.5,
  shift: 0.035,
  scale: 0.055,
  intensity: 0,
  noise: 0.022,
};

export function augments(options: Augmentation): boolean {
  return Object.values(options).some((limit: number) => limit > 0);
}

/**
 * Draws one random change and writes the changed image. Bilinear; outside the image the nearest edge pixel goes on,
 * because a black frame would be a mark of its own.
 * @param source shape [size, size], gray 0 to 255
 * @param target shape [size, size], gray 0 to 1
 */
export function augmentImage(
  source: Uint8Array,
  size: number,
  options: Augmentation,
  random: Random,
  target: Float32Array,
): void {
  const either = (limit: number): number => (2 * random.uniform() - 1) * limit;
  const angle = (either(options.rotationDegrees) * Math.PI) / 180;
  const zoom = 1 / (1 + either(options.scale));
  const [shiftX, shiftY] = [either(options.shift) * size, either(options.shift) * size];
  const contrast = 1 + either(options.intensity);
  const brightness = either(options.intensity) / 2;
  const [cos, sin, centre] = [Math.cos(angle) * zoom, Math.sin(angle) * zoom, (size - 1) / 2];
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const [x, y] = [column - centre - shiftX, row - centre - shiftY];
      const gray = bilinear(source, size, centre + cos * x + sin * y, centre - sin * x + cos * y) / 255;
      const lit = (gray - 0.5) * contrast + 0.5 + brightness;
      const grain = options.noise === 0 ? 0 : random.normal() * options.noise;
      target[row * size + column] = Math.min(1, Math.max(0, lit + grain));
    }
  }
}

function bilinear(source: Uint8Array, size: number, x: number, y: number): number {
  const insideX = Math.min(size - 1, Math.max(0, x));
  const insideY = Math.min(size - 1, Math.max(0, y));
  const left = Math.min(size - 2, Math.floor(insideX));
  const top = Math.min(size - 2, Math.floor(insideY));
  const [shareX, shareY] = [insideX - left, insideY - top];
  const at = top * size + left;
  const above = (source[at] as number) * (1 - shareX) + (source[at + 1] as number) * shareX;
  const below = (source[at + size] as number) * (1 - shareX) + (source[at + size + 1] as number) * shareX;
  return above * (1 - shareY) + below * shareY;
}
