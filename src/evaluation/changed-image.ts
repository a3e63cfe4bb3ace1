import type { Random } from '../core/random.js';
import type { GrayFrame } from '../imaging/gray-frame.js';
import { encodeGrayJpeg } from '../imaging/raster.js';

/** How far an image may be changed at most; each change is drawn evenly up to its bound, either way. */
export interface ImageChange {
  /** Degrees about the centre. */
  readonly rotationDegrees: number;
  /** Share of the width and, apart from it, of the height. */
  readonly shift: number;
  /** Share of the size, larger or smaller. */
  readonly scale: number;
  /** Standard deviation of the normal noise on every pixel, as a share of the gray scale. Not a bound. */
  readonly noise: number;
  /** 1 to 100. */
  readonly jpegQuality: number;
}

/** A photograph of the same film, an export through another viewer: what a changed copy is to be found in spite of. */
export const STANDARD_CHANGE: ImageChange = {
  rotationDegrees: 5,
  shift: 0.03,
  scale: 0.05,
  noise: 0.02,
  jpegQuality: 70,
};

/**
 * Draws one change of a frame and applies it: turned, moved and scaled (one bilinear interpolation, at the frame's own
 * size; outside the frame its edge goes on), then noise, then JPEG.
 * @returns the bytes of a gray JPEG of the same width and height
 */
export async function changedImage(
  frame: GrayFrame,
  change: ImageChange,
  random: Random,
): Promise<Uint8Array> {
  const { width, height } = frame;
  const angle = (random.between(-1, 1) * change.rotationDegrees * Math.PI) / 180;
  const zoom = 1 / (1 + random.between(-1, 1) * change.scale);
  const shiftX = random.between(-1, 1) * change.shift * width;
  const shiftY = random.between(-1, 1) * change.shift * height;
  const [cos, sin] = [Math.cos(angle) * zoom, Math.sin(angle) * zoom];
  const [centreX, centreY] = [(width - 1) / 2, (height - 1) / 2];
  const pixels = new Uint8Array(width * height);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      const [x, y] = [column - centreX - shiftX, row - centreY - shiftY];
      const gray = sample(frame, centreX + cos * x + sin * y, centreY - sin * x + cos * y);
      const grain = change.noise === 0 ? 0 : random.normal() * change.noise;
      pixels[at] = Math.round(Math.min(1, Math.max(0, gray + grain)) * 255);
    }
  }
  return encodeGrayJpeg(pixels, width, height, change.jpegQuality);
}

/** Bilinear; a point outside the frame takes the nearest one inside. */
function sample({ width, height, pixels }: GrayFrame, x: number, y: number): number {
  const insideX = Math.min(width - 1, Math.max(0, x));
  const insideY = Math.min(height - 1, Math.max(0, y));
  const [left, top] = [Math.floor(insideX), Math.floor(insideY)];
  const [right, bottom] = [Math.min(width - 1, left + 1), Math.min(height - 1, top + 1)];
  const [shareX, shareY] = [insideX - left, insideY - top];
  const level = (row: number, column: number): number => pixels[row * width + column] as number;
  const above = level(top, left) * (1 - shareX) + level(top, right) * shareX;
  const below = level(bottom, left) * (1 - shareX) + level(bottom, right) * shareX;
  return above * (1 - shareY) + below * shareY;
}
