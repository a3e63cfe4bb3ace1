import { KinscanError } from '../../core/errors.js';
import type { ImageLimits } from '../image-limits.js';
import type { Elements } from './elements.js';
import type { DicomHeader } from './parse-header.js';

/** Photometric interpretations (DICOM PS3.3 section C.7.6.3.1.2) that kinscan turns to gray. */
const SAMPLES_PER_PIXEL = {
  MONOCHROME1: 1,
  MONOCHROME2: 1,
  'PALETTE COLOR': 1,
  RGB: 3,
  YBR_FULL: 3,
  YBR_FULL_422: 3,
} as const;

export type Photometric = keyof typeof SAMPLES_PER_PIXEL;

/** The shape of native pixel data, checked: every frame lies within the bytes. */
export interface PixelLayout {
  readonly rows: number;
  readonly columns: number;
  readonly frameCount: number;
  readonly photometric: Photometric;
  readonly samplesPerPixel: 1 | 3;
  /** Samples of a frame lie colour by colour (RRR GGG BBB), not pixel by pixel (RGB RGB RGB). */
  readonly isPlanar: boolean;
  readonly kind: 'integer' | 'float' | 'double';
  /** 1, 8, 16, 32 or, for doubles, 64. */
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly isSigned: boolean;
  readonly bigEndian: boolean;
  /** Bytes stand in 16-bit words whose order counts (VR OW in big endian). */
  readonly hasSwappedBytes: boolean;
  /** Bits of one frame; frames follow one another without a gap, even within a byte. */
  readonly frameBits: number;
  /** Value of (0028,0120) Pixel Padding Value, as stored. */
  readonly paddingValue: number | undefined;
  readonly bytes: Uint8Array;
}

/** Number of Frames (0028,0008): 1 where absent, empty or nonsense. */
export function numberOfFramesOf(elements: Elements): number {
  const count = elements.decimal('x00280008') ?? 1;
  return Number.isSafeInteger(count) && count >= 1 ? count : 1;
}

/**
 * Checks a header against itself, the limits and the length of the pixel data; allocates nothing.
 * @throws KinscanError NO_PIXEL_DATA, PIXEL_LIMIT_EXCEEDED, UNSUPPORTED_PHOTOMETRIC, CORRUPT_IMAGE
 */
export function pixelLayoutOf(header: DicomHeader, limits: ImageLimits): PixelLayout {
  const { elements, pixelData, encoding } = header;
  if (pixelData === undefined) {
    if (!header.isComplete) throw corrupt('the DICOM header is damaged or too long');
    throw new KinscanError('NO_PIXEL_DATA', 'the DICOM file holds no pixel data');
  }
  const { rows, columns } = sizeOf(elements, limits);
  const frameCount = numberOfFramesOf(elements);
  if (frameCount > limits.framesMax) {
    throw new KinscanError('PIXEL_LIMIT_EXCEEDED', `${frameCount} frames are more than ${limits.framesMax}`);
  }
  const photometric = photometricOf(elements);
  const samplesPerPixel = SAMPLES_PER_PIXEL[photometric];
  const depth = depthOf(elements, pixelData.kind, samplesPerPixel);
  // two pixels share their colour: Y1 Y2 Cb Cr (PS3.3 section C.7.6.3.1.2)
  const samplesStored = photometric === 'YBR_FULL_422' ? 2 : samplesPerPixel;
  const frameBits = rows * columns * samplesStored * depth.bitsAllocated;
  if (photometric === 'YBR_FULL_422' && columns % 2 === 1)
    throw corrupt('YBR_FULL_422 has an odd number of columns');
  if (pixelData.bytes === undefined) throw corrupt('native pixel data has no length');
  if (pixelData.bytes.length * 8 < frameBits * frameCount) {
    throw corrupt(
      `${pixelData.bytes.length} bytes are too few for ${frameCount} frames of ${columns} x ${rows}`,
    );
  }
  return {
    rows,
    columns,
    frameCount,
    photometric,
    samplesPerPixel,
    isPlanar:
      photometric !== 'YBR_FULL_422' && samplesPerPixel === 3 && elements.integer16('x00280006') === 1,
    kind: pixelData.kind,
    ...depth,
    bigEndian: encoding.bigEndian,
    hasSwappedBytes: encoding.bigEndian && pixelData.vr === 'OW' && depth.bitsAllocated <= 8,
    frameBits,
    paddingValue: elements.integer16('x00280120', { signed: depth.isSigned }),
    bytes: pixelData.bytes,
  };
}

function sizeOf(elements: Elements, limits: ImageLimits): { rows: number; columns: number } {
  const rows = elements.integer16('x00280010') ?? 0;
  const columns = elements.integer16('x00280011') ?? 0;
  if (rows === 0 || columns === 0) throw corrupt('the DICOM file declares no rows or columns');
  if (rows * columns > limits.pixelsMax) {
    throw new KinscanError(
      'PIXEL_LIMIT_EXCEEDED',
      `${columns} x ${rows} pixels are more than ${limits.pixelsMax}`,
    );
  }
  return { rows, columns };
}

function photometricOf(elements: Elements): Photometric {
  const text = elements.text('x00280004') ?? 'MONOCHROME2';
  if (!Object.hasOwn(SAMPLES_PER_PIXEL, text)) {
    const name = /^[A-Z0-9_ ]{1,16}$/.test(text) ? text : 'unknown';
    throw new KinscanError('UNSUPPORTED_PHOTOMETRIC', `photometric interpretation ${name}`);
  }
  const photometric = text as Photometric;
  const samplesPerPixel = elements.integer16('x00280002') ?? 1;
  if (samplesPerPixel !== SAMPLES_PER_PIXEL[photometric]) {
    throw corrupt(`${photometric} with ${samplesPerPixel} samples per pixel`);
  }
  return photometric;
}

type Depth = Pick<PixelLayout, 'bitsAllocated' | 'bitsStored' | 'highBit' | 'isSigned'>;

function depthOf(elements: Elements, kind: PixelLayout['kind'], samplesPerPixel: 1 | 3): Depth {
  if (kind !== 'integer') {
    const bits = kind === 'float' ? 32 : 64;
    if (samplesPerPixel !== 1) throw new KinscanError('UNSUPPORTED_PHOTOMETRIC', 'colour in floating point');
    return { bitsAllocated: bits, bitsStored: bits, highBit: bits - 1, isSigned: true };
  }
  const bitsAllocated = elements.integer16('x00280100') ?? 0;
  const bitsStored = elements.integer16('x00280101') ?? bitsAllocated;
  const highBit = elements.integer16('x00280102') ?? bitsStored - 1;
  if (![1, 8, 16, 32].includes(bitsAllocated) || (samplesPerPixel === 3 && bitsAllocated !== 8)) {
    throw new KinscanError('UNSUPPORTED_PHOTOMETRIC', `${bitsAllocated} bits allocated`);
  }
  if (bitsStored < 1 || highBit < bitsStored - 1 || highBit >= bitsAllocated) {
    throw corrupt(`${bitsStored} bits stored up to bit ${highBit} of ${bitsAllocated}`);
  }
  return { bitsAllocated, bitsStored, highBit, isSigned: elements.integer16('x00280103') === 1 };
}

function corrupt(message: string): KinscanError {
  return new KinscanError('CORRUPT_IMAGE', message);
}
