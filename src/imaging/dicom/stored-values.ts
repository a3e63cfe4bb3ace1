import type { PixelLayout } from './pixel-layout.js';

export type StoredValues =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/**
 * The values of one frame as they are stored, before any rescaling: shape [rows, columns, samplesPerPixel], whatever the
 * planar configuration; unused bits are masked and signs extended (DICOM PS3.5 section 8.1). YBR_FULL_422 is spread to
 * one Y, Cb, Cr for every pixel.
 */
export function readStoredValues(layout: PixelLayout, frameIndex: number): StoredValues {
  if (layout.bitsAllocated === 1) return readBits(layout, frameIndex);
  const bytes = readFrameBytes(layout, frameIndex);
  if (layout.photometric === 'YBR_FULL_422') return spreadChroma(bytes);
  const values = asNumbers(layout, bytes);
  if (layout.kind === 'integer' && layout.bitsStored < layout.bitsAllocated) maskUnusedBits(layout, values);
  return layout.isPlanar ? interleave(values as Uint8Array) : values;
}

/** A copy of the frame's bytes, in the byte order of this machine, at the start of a buffer of its own. */
function readFrameBytes(layout: PixelLayout, frameIndex: number): Uint8Array {
  const length = layout.frameBits / 8;
  const start = frameIndex * length;
  if (layout.hasSwappedBytes) return readSwappedBytes(layout.bytes, start, length);
  // not slice(), which shares memory where the bytes are a Buffer
  const bytes = new Uint8Array(layout.bytes.subarray(start, start + length));
  if (layout.bigEndian && layout.bitsAllocated > 8) swapWords(bytes, layout.bitsAllocated / 8);
  return bytes;
}

/** Byte i of the image is byte i xor 1 of the file; a last odd byte has its partner in the padding. */
function readSwappedBytes(bytes: Uint8Array, start: number, length: number): Uint8Array {
  const output = new Uint8Array(length);
  for (let i = 0; i < length; i++) output[i] = bytes[(start + i) ^ 1] ?? (bytes[start + i] as number);
  return output;
}

/** Assumes a little-endian machine, as does every platform of Node.js that kinscan's packages are built for. */
function swapWords(bytes: Uint8Array, wordLength: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (wordLength === 2) buffer.swap16();
  else if (wordLength === 4) buffer.swap32();
  else buffer.swap64();
}

function asNumbers(layout: PixelLayout, bytes: Uint8Array): StoredValues {
  const { buffer } = bytes;
  if (layout.kind === 'float') return new Float32Array(buffer);
  if (layout.kind === 'double') return new Float64Array(buffer);
  if (layout.bitsAllocated === 8) return layout.isSigned ? new Int8Array(buffer) : bytes;
  if (layout.bitsAllocated === 16) return layout.isSigned ? new Int16Array(buffer) : new Uint16Array(buffer);
  return layout.isSigned ? new Int32Array(buffer) : new Uint32Array(buffer);
}

/** Keeps bits highBit - bitsStored + 1 to highBit; old files have overlays in the others. */
function maskUnusedBits(layout: PixelLayout, values: StoredValues): void {
  const shiftLeft = 31 - layout.highBit;
  const shiftRight = 32 - layout.bitsStored;
  for (let i = 0; i < values.length; i++) {
    const aligned = (values[i] as number) << shiftLeft;
    values[i] = layout.isSigned ? aligned >> shiftRight : aligned >>> shiftRight;
  }
}

/** RRR GGG BBB to RGB RGB RGB. */
function interleave(values: Uint8Array): Uint8Array {
  const pixels = values.length / 3;
  const output = new Uint8Array(values.length);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let sample = 0; sample < 3; sample++) {
      output[pixel * 3 + sample] = values[sample * pixels + pixel] as number;
    }
  }
  return output;
}

/** Y1 Y2 Cb Cr to Y1 Cb Cr Y2 Cb Cr. */
function spreadChroma(bytes: Uint8Array): Uint8Array {
  const output = new Uint8Array((bytes.length / 2) * 3);
  for (let from = 0, to = 0; from < bytes.length; from += 4, to += 6) {
    output[to] = bytes[from] as number;
    output[to + 3] = bytes[from + 1] as number;
    output[to + 1] = output[to + 4] = bytes[from + 2] as number;
    output[to + 2] = output[to + 5] = bytes[from + 3] as number;
  }
  return output;
}

/** One bit a pixel, the lowest bit of a byte first; a frame may begin within a byte. */
function readBits(layout: PixelLayout, frameIndex: number): Uint8Array {
  const first = frameIndex * layout.frameBits;
  const output = new Uint8Array(layout.frameBits);
  for (let i = 0; i < output.length; i++) {
    const bit = first + i;
    const byteIndex = layout.hasSwappedBytes ? (bit >> 3) ^ 1 : bit >> 3;
    output[i] = ((layout.bytes[byteIndex] as number) >> (bit & 7)) & 1;
  }
  return output;
}
