import { KinscanError } from '../../core/errors.js';
import type { Elements } from './elements.js';

/** Red, green, blue: look-up table descriptors and data, and their share of BT.601 luma. */
const PRIMARIES = [
  { descriptor: 'x00281101', data: 'x00281201', luma: 0.299 },
  { descriptor: 'x00281102', data: 'x00281202', luma: 0.587 },
  { descriptor: 'x00281103', data: 'x00281203', luma: 0.114 },
] as const;

/**
 * The gray of each entry of the palette colour look-up tables (DICOM PS3.3 sections C.7.6.3.1.5 and C.7.6.3.1.6).
 * @returns `grays`, 0 to 1, for the stored values from `first` up
 * @throws KinscanError UNSUPPORTED_PHOTOMETRIC for segmented tables, CORRUPT_IMAGE for missing or short ones
 */
export function paletteGrays(elements: Elements): { first: number; grays: Float32Array } {
  if (elements.has('x00281221')) {
    throw new KinscanError('UNSUPPORTED_PHOTOMETRIC', 'segmented palette');
  }
  // a declared length of 0 stands for 65,536
  const declared = elements.integer16(PRIMARIES[0].descriptor, { index: 0 });
  const count = declared === 0 ? 65_536 : declared;
  const first = elements.integer16(PRIMARIES[0].descriptor, { index: 1 }) ?? 0;
  if (count === undefined) throw new KinscanError('CORRUPT_IMAGE', 'the palette is missing');
  const bits = elements.integer16(PRIMARIES[0].descriptor, { index: 2 }) ?? 16;
  const grays = new Float32Array(count);
  for (const { data, luma } of PRIMARIES) {
    const length = elements.bytes(data)?.length ?? 0;
    if (length < count) throw new KinscanError('CORRUPT_IMAGE', 'the palette is short');
    const isPacked = length < 2 * count;
    for (let i = 0; i < count; i++) {
      const word = elements.integer16(data, { index: isPacked ? i >> 1 : i }) ?? 0;
      // two 8-bit entries share a word, the first in its low byte
      const entry = isPacked ? (word >> (8 * (i & 1))) & 0xff : word;
      const white = isPacked || bits === 8 ? 255 : 65_535;
      grays[i] = (grays[i] as number) + luma * Math.min(1, entry / white);
    }
  }
  return { first, grays };
}
