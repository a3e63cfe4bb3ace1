import sharp, { type Sharp } from 'sharp';
import { KinscanError } from '../core/errors.js';
import type { GrayFrame } from './gray-frame.js';
import type { ImageFormat } from './image-format.js';
import type { ImageLimits } from './image-limits.js';

// The only file that imports sharp. Calls come from worker threads, one image at a time, so libvips needs neither
// threads of its own nor a cache of operations that never repeat.
sharp.cache(false);
sharp.concurrency(1);

type RasterFormat = Exclude<ImageFormat, 'dicom'>;

/**
 * Decodes the first page of a PNG, JPEG or TIFF to gray: EXIF orientation applied, alpha laid on black, colour by
 * luminance. 16-bit images keep all their levels; TIFFs of 32-bit samples are stretched from their own min to max.
 * @throws KinscanError PIXEL_LIMIT_EXCEEDED, CORRUPT_IMAGE
 */
export async function decodeRaster(
  bytes: Uint8Array,
  format: RasterFormat,
  limits: ImageLimits,
): Promise<GrayFrame> {
  try {
    const depth = await sampleDepthOf(bytes, format, limits);
    const image = sharp(bytes, { failOn: 'error', limitInputPixels: limits.pixelsMax }).rotate();
    if (depth !== 'uchar' && depth !== 'ushort') return await readWide(image, depth);
    image.flatten({ background: '#000' });
    return depth === 'ushort' ? await readUshort(image) : await readUchar(image);
  } catch (error) {
    throw await explainFailure(bytes, limits, error);
  }
}

/** libvips's name of the sample type. The PNG's depth is read here from its header: a metadata call costs a third of decoding a small image. */
async function sampleDepthOf(
  bytes: Uint8Array,
  format: RasterFormat,
  limits: ImageLimits,
): Promise<string | undefined> {
  if (format === 'jpeg') return 'uchar';
  const PNG_BIT_DEPTH_OFFSET = 24;
  if (format === 'png') return bytes[PNG_BIT_DEPTH_OFFSET] === 16 ? 'ushort' : 'uchar';
  return (await sharp(bytes, { limitInputPixels: limits.pixelsMax }).metadata()).depth;
}

async function readUchar(image: Sharp): Promise<GrayFrame> {
  const { data, info } = await image.toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, pixels: scaleToUnit(data, 255) };
}

async function readUshort(image: Sharp): Promise<GrayFrame> {
  const output = image.toColourspace('grey16').raw({ depth: 'ushort' });
  const { data, info } = await output.toBuffer({ resolveWithObject: true });
  const samples = new Uint16Array(data.buffer, data.byteOffset, info.width * info.height);
  return { width: info.width, height: info.height, pixels: scaleToUnit(samples, 65535) };
}

/** Samples that are neither 8 nor 16 bit unsigned have no fixed white: the image's own range is used. */
async function readWide(image: Sharp, depth: string | undefined): Promise<GrayFrame> {
  // sharp casts 16-bit gray to unsigned, which would turn negative values to 0; moved up, the stretch undoes it
  const SHORT_OFFSET = 32_768;
  if (depth === 'short') image.linear(1, SHORT_OFFSET).toColourspace('grey16');
  const output = image.extractChannel(0).raw({ depth: 'float' });
  const { data, info } = await output.toBuffer({ resolveWithObject: true });
  const samples = new Float32Array(data.buffer, data.byteOffset, info.width * info.height);
  let low = Infinity;
  let high = -Infinity;
  for (const value of samples) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const range = high - low;
  const pixels = samples.map((value) => (range > 0 && Number.isFinite(value) ? (value - low) / range : 0));
  return { width: info.width, height: info.height, pixels };
}

function scaleToUnit(samples: Uint8Array | Uint16Array, white: number): Float32Array {
  const pixels = new Float32Array(samples.length);
  for (let i = 0; i < samples.length; i++) pixels[i] = (samples[i] as number) / white;
  return pixels;
}

/** libvips tells its failures apart by text only; the header tells whether it was the pixel limit. */
async function explainFailure(bytes: Uint8Array, limits: ImageLimits, cause: unknown): Promise<KinscanError> {
  const header = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch(() => undefined);
  if (header !== undefined && header.width * header.height > limits.pixelsMax) {
    const size = `${header.width} x ${header.height}`;
    return new KinscanError('PIXEL_LIMIT_EXCEEDED', `${size} pixels are more than ${limits.pixelsMax}`, {
      cause,
    });
  }
  return new KinscanError('CORRUPT_IMAGE', 'the image is truncated or damaged', { cause });
}

/** @param pixels shape [height, width], 8-bit gray */
export async function encodeGrayPng(pixels: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const image = sharp(pixels, { raw: { width, height, channels: 1 } });
  return image.toColourspace('b-w').png({ compressionLevel: 6 }).toBuffer();
}

/** @param pixels shape [height, width], 8-bit gray; @param quality 1 to 100 */
export async function encodeGrayJpeg(
  pixels: Uint8Array,
  width: number,
  height: number,
  quality: number,
): Promise<Uint8Array> {
  const image = sharp(pixels, { raw: { width, height, channels: 1 } });
  return image.toColourspace('b-w').jpeg({ quality }).toBuffer();
}
