import { firstElementKind } from './dicom/data-set-start.js';

export type ImageFormat = 'png' | 'jpeg' | 'tiff' | 'dicom';

/** DICOM files have 128 free bytes and then 'DICM' (DICOM PS3.10 section 7.1). */
const DICOM_PREAMBLE_LENGTH = 128;

/** The format that the first bytes tell, whatever the file is called; undefined where they tell none that kinscan reads. */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  // first, since the free bytes before 'DICM' may hold a TIFF header (PS3.10 section 7.1)
  if (startsWith(bytes, [0x44, 0x49, 0x43, 0x4d], DICOM_PREAMBLE_LENGTH)) return 'dicom';
  if (startsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'png';
  if (startsWith(bytes, [0xff, 0xd8, 0xff])) return 'jpeg';
  if (isTiff(bytes)) return 'tiff';
  // some old DICOM files have neither preamble nor file meta group
  if (firstElementKind(bytes) !== undefined) return 'dicom';
  return undefined;
}

function startsWith(bytes: Uint8Array, prefix: readonly number[], offset = 0): boolean {
  return prefix.every((byte, index) => bytes[offset + index] === byte);
}

/** Classic TIFF (42) and BigTIFF (43), little (II) and big (MM) endian (TIFF 6.0 section 2). */
function isTiff(bytes: Uint8Array): boolean {
  return [42, 43].some(
    (version) =>
      startsWith(bytes, [0x49, 0x49, version, 0x00]) || startsWith(bytes, [0x4d, 0x4d, 0x00, version]),
  );
}
