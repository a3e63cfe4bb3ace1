import { drawPhantom, PHANTOM_REGIONS } from '../../src/imaging/phantom.js';
import { encodeGrayJpeg, encodeGrayPng } from '../../src/imaging/raster.js';
import { buildDicom, imageElements, words } from '../helpers/dicom-builder.js';

/** The n-th of a series of different phantoms, as PNG. */
export async function phantomPng(n: number): Promise<Uint8Array> {
  const { pixels, width, height } = phantom(n);
  return encodeGrayPng(pixels, width, height);
}

/** The same as JPEG. */
export async function phantomJpeg(n: number): Promise<Uint8Array> {
  const { pixels, width, height } = phantom(n);
  return encodeGrayJpeg(pixels, width, height, 90);
}

function phantom(n: number) {
  return drawPhantom(PHANTOM_REGIONS[n % PHANTOM_REGIONS.length] ?? 'head', n);
}

/** A DICOM instance of 16-bit frames, every one different. */
export function multiFrameDicom(frames: number, missingWords = 0): Uint8Array {
  const side = 24;
  const values = Array.from({ length: frames * side * side }, (_, i) => {
    const frame = Math.floor(i / (side * side));
    return ((i % side) * (frame + 3) * 37 + Math.floor(i / side) * 91) % 4096;
  });
  const pixelData = words(values.slice(0, values.length - missingWords));
  return buildDicom({
    elements: imageElements({ rows: side, columns: side, pixelData, bitsStored: 12, frames: String(frames) }),
  });
}

export function dicomWithoutPixels(): Uint8Array {
  return buildDicom({ elements: imageElements({ rows: 8, columns: 8, pixelData: undefined }) });
}
