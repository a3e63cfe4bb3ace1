/** How the elements of a data set, and its native pixel data, are written (DICOM PS3.5 annex A). */
export interface Encoding {
  readonly explicitVr: boolean;
  readonly bigEndian: boolean;
  /** The data set is compressed with raw deflate (RFC 1951). */
  readonly deflated: boolean;
}

export const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2';
export const EXPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
export const EXPLICIT_VR_BIG_ENDIAN = '1.2.840.10008.1.2.2';
const DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2.1.99';

const EXPLICIT_LITTLE: Encoding = { explicitVr: true, bigEndian: false, deflated: false };

const NATIVE_ENCODINGS: ReadonlyMap<string, Encoding> = new Map([
  [IMPLICIT_VR_LITTLE_ENDIAN, { ...EXPLICIT_LITTLE, explicitVr: false }],
  [EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_LITTLE],
  [EXPLICIT_VR_BIG_ENDIAN, { ...EXPLICIT_LITTLE, bigEndian: true }],
  [DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, { ...EXPLICIT_LITTLE, deflated: true }],
]);

/** Whether pixel data of this transfer syntax is plain numbers, which kinscan decodes, and not compressed. */
export function hasNativePixelData(transferSyntaxUid: string): boolean {
  return NATIVE_ENCODINGS.has(transferSyntaxUid);
}

/** Every transfer syntax outside the table above writes its elements as explicit little endian (PS3.5 A.4). */
export function encodingOf(transferSyntaxUid: string): Encoding {
  return NATIVE_ENCODINGS.get(transferSyntaxUid) ?? EXPLICIT_LITTLE;
}

/** The dicom-parser name of an encoding: the transfer syntax that has it, without deflate. */
export function plainTransferSyntaxOf(encoding: Encoding): string {
  if (!encoding.explicitVr) return IMPLICIT_VR_LITTLE_ENDIAN;
  return encoding.bigEndian ? EXPLICIT_VR_BIG_ENDIAN : EXPLICIT_VR_LITTLE_ENDIAN;
}
