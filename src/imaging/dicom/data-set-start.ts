import { KinscanError } from '../../core/errors.js';
import {
  EXPLICIT_VR_BIG_ENDIAN,
  EXPLICIT_VR_LITTLE_ENDIAN,
  IMPLICIT_VR_LITTLE_ENDIAN,
} from './transfer-syntax.js';

/** Where a file's data set begins and how it is written. */
export interface DataSetStart {
  /** Offset in the file of the first element behind the file meta group. */
  readonly offset: number;
  readonly transferSyntaxUid: string;
}

/** 128 free bytes and 'DICM' (DICOM PS3.10 section 7.1). */
const PREAMBLE_LENGTH = 132;

/** VRs whose length field is 4 bytes behind 2 free ones (PS3.5 section 7.1.2). */
const LONG_VRS: ReadonlySet<string> = new Set([
  'OB',
  'OD',
  'OF',
  'OL',
  'OV',
  'OW',
  'SQ',
  'SV',
  'UC',
  'UN',
  'UR',
  'UT',
  'UV',
]);

/** VRs that the identifying group 0008 can begin with. */
const SHORT_VRS: ReadonlySet<string> = new Set(['CS', 'UI', 'UL', 'DA', 'TM', 'DT', 'SH', 'LO', 'US']);

/**
 * What the first element says of a file that has no preamble: 'meta' for a file meta group, else the transfer syntax
 * that its first element is written in; undefined where it is no plausible DICOM element.
 */
export function firstElementKind(bytes: Uint8Array): string | undefined {
  if (bytes.length < 12) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const vr = String.fromCharCode(view.getUint8(4), view.getUint8(5));
  const hasVr = SHORT_VRS.has(vr);
  const ELEMENT_MAX = 0x0100;
  if (view.getUint16(0, true) === 0x0002 && view.getUint16(2, true) <= ELEMENT_MAX) {
    return hasVr || LONG_VRS.has(vr) ? 'meta' : undefined;
  }
  if (view.getUint16(0, true) === 0x0008 && view.getUint16(2, true) <= ELEMENT_MAX) {
    if (hasVr) return EXPLICIT_VR_LITTLE_ENDIAN;
    const length = view.getUint32(4, true);
    return length % 2 === 0 && length <= 1024 && length + 8 <= bytes.length
      ? IMPLICIT_VR_LITTLE_ENDIAN
      : undefined;
  }
  if (view.getUint16(0) === 0x0008 && view.getUint16(2) <= ELEMENT_MAX && hasVr)
    return EXPLICIT_VR_BIG_ENDIAN;
  return undefined;
}

/** @throws KinscanError CORRUPT_IMAGE where the file meta group is damaged or names no transfer syntax */
export function findDataSet(bytes: Uint8Array): DataSetStart {
  const hasPreamble = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .subarray(PREAMBLE_LENGTH - 4, PREAMBLE_LENGTH)
    .equals(Buffer.from('DICM'));
  if (hasPreamble) return readFileMeta(bytes, PREAMBLE_LENGTH);
  const kind = firstElementKind(bytes);
  if (kind === undefined)
    throw new KinscanError('CORRUPT_IMAGE', 'the DICOM file begins with no DICOM element');
  return kind === 'meta' ? readFileMeta(bytes, 0) : { offset: 0, transferSyntaxUid: kind };
}

/**
 * Walks the file meta group (0002,xxxx), always explicit little endian, for the Transfer Syntax UID (0002,0010). Its
 * group length is not trusted, since many writers get it wrong: the group ends where another begins.
 */
function readFileMeta(bytes: Uint8Array, start: number): DataSetStart {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = start;
  let transferSyntaxUid: string | undefined;
  while (offset + 8 <= bytes.length && view.getUint16(offset, true) === 0x0002) {
    const vr = String.fromCharCode(view.getUint8(offset + 4), view.getUint8(offset + 5));
    const isLong = LONG_VRS.has(vr);
    if (isLong && offset + 12 > bytes.length) break;
    const length = isLong ? view.getUint32(offset + 8, true) : view.getUint16(offset + 6, true);
    const valueOffset = offset + (isLong ? 12 : 8);
    if (view.getUint16(offset + 2, true) === 0x0010) transferSyntaxUid = uidAt(bytes, valueOffset, length);
    offset = valueOffset + length;
  }
  if (transferSyntaxUid === undefined) {
    throw new KinscanError('CORRUPT_IMAGE', 'the DICOM file names no transfer syntax');
  }
  if (offset > bytes.length)
    throw new KinscanError('CORRUPT_IMAGE', 'the DICOM file ends within its file meta group');
  return { offset, transferSyntaxUid };
}

/** A UID is at most 64 digits and dots, padded with a zero byte, or by careless writers with a space. */
function uidAt(bytes: Uint8Array, offset: number, length: number): string | undefined {
  const text = String.fromCharCode(...bytes.subarray(offset, offset + Math.min(length, 66)));
  return /^([0-9.]{1,64})[\0 ]*$/.exec(text)?.[1];
}
