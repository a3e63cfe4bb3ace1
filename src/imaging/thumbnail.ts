import type { GrayFrame } from './gray-frame.js';
import { encodeGrayJpeg } from './raster.js';
import { resize } from './resize.js';

const THUMBNAIL_QUALITY = 80;

export interface ThumbnailOptions {
  /** Longest edge, in pixels; a smaller image keeps its size. */
  readonly edgeMaxPixels: number;
}

/** A small picture of a frame: 8-bit gray JPEG, in the frame's own proportions. */
export async function encodeThumbnail(frame: GrayFrame, options: ThumbnailOptions): Promise<Uint8Array> {
  const scale = Math.min(1, options.edgeMaxPixels / Math.max(frame.width, frame.height));
  const width = Math.max(1, Math.round(frame.width * scale));
  const height = Math.max(1, Math.round(frame.height * scale));
  const { pixels } = resize(frame, width, height);
  const gray = new Uint8Array(pixels.length);
  for (let i = 0; i < gray.length; i++) gray[i] = Math.round((pixels[i] as number) * 255);
  return encodeGrayJpeg(gray, width, height, THUMBNAIL_QUALITY);
}
