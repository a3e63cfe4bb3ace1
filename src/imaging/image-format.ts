export type ImageFormat = 'png' | 'jpeg' | 'tiff' | 'dicom';

/** DICOM files have 128 free bytes and then 'DICM' (DICOM PS3.10 section 7.1). */
const DICOM_PREAMBLE_LENGTH = 128;

/** The format that the first bytes tell, whatever the file is called; undefined where they tell none that kinscan reads. */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  if (startsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'png';
  if (startsWith(bytes, [0xff, 0xd8, 0xff])) return 'jpeg';
  if (isTiff(bytes)) return 'tiff';
  if (startsWith(bytes, [0x44, 0x49, 0x43, 0x4d], DICOM_PREAMBLE_LENGTH)) return 'dicom';
  if (beginsWithDicomElement(bytes)) return 'dicom';
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

/**
 * Some old DICOM files have neither preamble nor file meta group: they begin with an element of group 0002 or 0008,
 * little endian, of a low element number, with either two capital letters (an explicit VR) or a small length behind it.
 */
function beginsWithDicomElement(bytes: Uint8Array): boolean {
  if (bytes.length < 12) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const group = view.getUint16(0, true);
  const element = view.getUint16(2, true);
  if ((group !== 0x0002 && group !== 0x0008) || element > 0x0100) return false;
  const isExplicit = [view.getUint8(4), view.getUint8(5)].every((letter) => letter >= 0x41 && letter <= 0x5a);
  const implicitLength = view.getUint32(4, true);
  return (
    isExplicit || (implicitLength <= 1024 && implicitLength % 2 === 0 && implicitLength + 8 <= bytes.length)
  );
}
