import { deflateRawSync } from 'node:zlib';

/** Elements in any order of declaration; they are written in the order given. */
export interface DicomElement {
  /** (group, element) as one number, for example 0x00280010. */
  readonly tag: number;
  readonly vr: string;
  /** Text, numbers of the VR's size, raw bytes, or the items of a sequence. */
  readonly value: string | readonly number[] | Uint8Array | readonly (readonly DicomElement[])[];
}

export interface DicomFileOptions {
  readonly elements: readonly DicomElement[];
  /** @default '1.2.840.10008.1.2.1', explicit little endian */
  readonly transferSyntaxUid?: string;
  /** Write preamble, 'DICM' and file meta group. @default true */
  readonly withMeta?: boolean;
}

const LONG_VRS = new Set(['OB', 'OD', 'OF', 'OL', 'OW', 'SQ', 'UN', 'UT']);

/** A synthetic DICOM file: no more is in it than the test says. */
export function buildDicom(options: DicomFileOptions): Uint8Array {
  const transferSyntaxUid = options.transferSyntaxUid ?? '1.2.840.10008.1.2.1';
  const explicitVr = transferSyntaxUid !== '1.2.840.10008.1.2';
  const bigEndian = transferSyntaxUid === '1.2.840.10008.1.2.2';
  const encoded = Buffer.concat(options.elements.map((element) => encode(element, explicitVr, bigEndian)));
  const dataSet = transferSyntaxUid === '1.2.840.10008.1.2.1.99' ? deflateRawSync(encoded) : encoded;
  if (options.withMeta === false) return new Uint8Array(dataSet);
  const meta = encode({ tag: 0x00020010, vr: 'UI', value: transferSyntaxUid }, true, false);
  return new Uint8Array(Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), meta, dataSet]));
}

export interface ImageElementsOptions {
  readonly rows: number;
  readonly columns: number;
  readonly pixelData: Uint8Array | undefined;
  readonly bitsAllocated?: number;
  readonly bitsStored?: number;
  readonly highBit?: number;
  readonly signed?: boolean;
  readonly photometric?: string;
  readonly samplesPerPixel?: number;
  readonly planar?: number;
  readonly frames?: string;
  /** VR of the pixel data. @default 'OW' above 8 bits, else 'OB' */
  readonly pixelVr?: string;
  /** Added in front of the pixel data; tags above 0x00280103. */
  readonly extra?: readonly DicomElement[];
}

/** The elements of an image pixel module (PS3.3 C.7.6.3), with identifiers that name nobody. */
export function imageElements(options: ImageElementsOptions): DicomElement[] {
  const bitsAllocated = options.bitsAllocated ?? 16;
  const bitsStored = options.bitsStored ?? bitsAllocated;
  const us = (tag: number, value: number): DicomElement => ({ tag, vr: 'US', value: [value] });
  const elements: DicomElement[] = [
    { tag: 0x00080018, vr: 'UI', value: '1.2.3.4.5' },
    { tag: 0x00080060, vr: 'CS', value: 'CT' },
    us(0x00280002, options.samplesPerPixel ?? 1),
    { tag: 0x00280004, vr: 'CS', value: options.photometric ?? 'MONOCHROME2' },
  ];
  if (options.planar !== undefined) elements.push(us(0x00280006, options.planar));
  if (options.frames !== undefined) elements.push({ tag: 0x00280008, vr: 'IS', value: options.frames });
  elements.push(
    us(0x00280010, options.rows),
    us(0x00280011, options.columns),
    us(0x00280100, bitsAllocated),
    us(0x00280101, bitsStored),
    us(0x00280102, options.highBit ?? bitsStored - 1),
    us(0x00280103, options.signed === true ? 1 : 0),
    ...(options.extra ?? []),
  );
  if (options.pixelData !== undefined) {
    const vr = options.pixelVr ?? (bitsAllocated > 8 ? 'OW' : 'OB');
    elements.push({ tag: 0x7fe00010, vr, value: options.pixelData });
  }
  return elements;
}

/** The bytes of 16-bit values. */
export function words(values: readonly number[], bigEndian = false): Uint8Array {
  const buffer = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => {
    if (bigEndian) buffer.writeUInt16BE(value & 0xffff, index * 2);
    else buffer.writeUInt16LE(value & 0xffff, index * 2);
  });
  return new Uint8Array(buffer);
}

function encode(element: DicomElement, explicitVr: boolean, bigEndian: boolean): Buffer {
  const value = encodeValue(element, explicitVr, bigEndian);
  const isLong = !explicitVr || LONG_VRS.has(element.vr);
  const head = Buffer.alloc(explicitVr && isLong ? 12 : 8);
  write16(head, element.tag >>> 16, 0, bigEndian);
  write16(head, element.tag & 0xffff, 2, bigEndian);
  if (explicitVr) head.write(element.vr, 4, 'latin1');
  if (isLong) write32(head, value.length, head.length - 4, bigEndian);
  else write16(head, value.length, 6, bigEndian);
  return Buffer.concat([head, value]);
}

function encodeValue({ vr, value }: DicomElement, explicitVr: boolean, bigEndian: boolean): Buffer {
  if (typeof value === 'string') return pad(Buffer.from(value, 'latin1'), vr === 'UI' ? 0 : 0x20);
  if (value instanceof Uint8Array) return pad(Buffer.from(value), 0);
  if (vr === 'SQ') {
    const items = value as readonly (readonly DicomElement[])[];
    return Buffer.concat(items.map((item) => encodeItem(item, explicitVr, bigEndian)));
  }
  return Buffer.from(words(value as readonly number[], bigEndian));
}

function encodeItem(item: readonly DicomElement[], explicitVr: boolean, bigEndian: boolean): Buffer {
  const content = Buffer.concat(item.map((element) => encode(element, explicitVr, bigEndian)));
  const head = Buffer.alloc(8);
  write16(head, 0xfffe, 0, bigEndian);
  write16(head, 0xe000, 2, bigEndian);
  write32(head, content.length, 4, bigEndian);
  return Buffer.concat([head, content]);
}

function pad(bytes: Buffer, filler: number): Buffer {
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from([filler])]);
}

function write16(buffer: Buffer, value: number, offset: number, bigEndian: boolean): void {
  if (bigEndian) buffer.writeUInt16BE(value, offset);
  else buffer.writeUInt16LE(value, offset);
}

function write32(buffer: Buffer, value: number, offset: number, bigEndian: boolean): void {
  if (bigEndian) buffer.writeUInt32BE(value, offset);
  else buffer.writeUInt32LE(value, offset);
}
