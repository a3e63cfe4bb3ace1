const SOI = 0xd8;
const APP0 = 0xe0;
const DQT = 0xdb;
const SOF0 = 0xc0;
const DHT = 0xc4;
const DRI = 0xdd;
const SOS = 0xda;
const EOI = 0xd9;
/** APP0 of a JFIF file without an embedded thumbnail (ITU-T T.871 section 10.1). */
const PLAIN_JFIF_LENGTH = 16;

/**
 * Whether a JPEG can be kept as its own thumbnail: baseline, one gray component of 8 bits, small enough, and nothing in
 * it but what decoding needs. A file with any other segment (EXIF, comments, colour profiles), with a second scan, or
 * with bytes behind its end is not plain: those may name a patient, or turn the image (ITU-T T.81 annex B).
 * Only the structure is looked at; that the file decodes must be known already.
 */
export function isPlainGrayJpeg(bytes: Uint8Array, edgeMaxPixels: number, bytesMax: number): boolean {
  if (bytes.length > bytesMax || bytes[0] !== 0xff || bytes[1] !== SOI) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let isGray = false;
  for (let at = 2; at + 4 <= bytes.length;) {
    const marker = view.getUint16(at) - 0xff00;
    const length = view.getUint16(at + 2);
    const end = at + 2 + length;
    if (length < 2 || end > bytes.length) return false;
    if (marker === SOF0) {
      if (length !== 11 || view.getUint8(at + 4) !== 8 || view.getUint8(at + 9) !== 1) return false;
      isGray = view.getUint16(at + 5) <= edgeMaxPixels && view.getUint16(at + 7) <= edgeMaxPixels;
      if (!isGray) return false;
    } else if (marker === SOS) {
      return isGray && endsWithScan(bytes, end);
    } else if (marker === APP0) {
      if (length !== PLAIN_JFIF_LENGTH) return false;
    } else if (marker !== DQT && marker !== DHT && marker !== DRI) {
      return false;
    }
    at = end;
  }
  return false;
}

/** Entropy-coded bytes with stuffed zeros and restart markers, then the end of image, then nothing. */
function endsWithScan(bytes: Uint8Array, start: number): boolean {
  for (let at = start; at + 1 < bytes.length; at++) {
    if (bytes[at] !== 0xff) continue;
    const next = bytes[at + 1] as number;
    if (next === EOI) return at + 2 === bytes.length;
    const isRestart = next >= 0xd0 && next <= 0xd7;
    if (next !== 0 && !isRestart) return false;
  }
  return false;
}
