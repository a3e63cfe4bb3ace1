import { inflateRawSync } from 'node:zlib';
import dicomParser, { type DataSet } from 'dicom-parser';
import { KinscanError } from '../../core/errors.js';
import type { ImageLimits } from '../image-limits.js';
import { findDataSet } from './data-set-start.js';
import { Elements } from './elements.js';
import { encodingOf, plainTransferSyntaxOf, type Encoding } from './transfer-syntax.js';

const PIXEL_DATA_KINDS = [
  { tag: 'x7fe00010', kind: 'integer' },
  { tag: 'x7fe00008', kind: 'float' },
  { tag: 'x7fe00009', kind: 'double' },
] as const;

/** How much of a data set is parsed. */
export interface HeaderScope {
  /** Where parsing stops. */
  readonly untilTag: string;
  /**
   * Bytes parsed. Parsed elements take far more memory than they do in the file (8 bytes become about 300), so that a
   * file of nothing but empty elements must end somewhere.
   */
  readonly bytesMax: number;
}

/** Everything that stands before the pixel data. */
const WHOLE_HEADER: HeaderScope = { untilTag: PIXEL_DATA_KINDS[0].tag, bytesMax: 8 * 1024 * 1024 };

export interface PixelData {
  readonly kind: 'integer' | 'float' | 'double';
  /** Value Representation; undefined in implicit VR. */
  readonly vr: string | undefined;
  /** The value, cut off where the file ends; undefined where it is encapsulated (of undefined length). */
  readonly bytes: Uint8Array | undefined;
}

export interface DicomHeader {
  readonly transferSyntaxUid: string;
  readonly encoding: Encoding;
  /** The elements before the pixel data. */
  readonly elements: Elements;
  readonly pixelData: PixelData | undefined;
  /** Parsing reached its end. Otherwise `elements` are those before the damage, or before the scope's bytesMax. */
  readonly isComplete: boolean;
}

/**
 * Reads a DICOM file up to its pixel data, without copying that.
 * @throws KinscanError CORRUPT_IMAGE, IMAGE_TOO_LARGE (a deflated data set that grows beyond limits.bytesMax)
 */
export function parseHeader(
  bytes: Uint8Array,
  limits: ImageLimits,
  scope: HeaderScope = WHOLE_HEADER,
): DicomHeader {
  const { offset, transferSyntaxUid } = findDataSet(bytes);
  const declared = encodingOf(transferSyntaxUid);
  const stored = bytes.subarray(offset);
  const dataSetBytes = declared.deflated ? inflate(stored, limits) : stored;
  const encoding = { ...declared, explicitVr: beginsWithExplicitVr(dataSetBytes) };
  const { dataSet, hasFailed } = parse(dataSetBytes.subarray(0, scope.bytesMax), encoding, scope.untilTag);
  const elements = new Elements(dataSet);
  return {
    transferSyntaxUid,
    encoding,
    elements,
    pixelData: pixelDataOf(dataSet, dataSetBytes),
    isComplete: elements.has(scope.untilTag) || (!hasFailed && dataSetBytes.length <= scope.bytesMax),
  };
}

/** Some writers declare explicit VR and write implicit VR, or the other way round; two capital letters tell. */
function beginsWithExplicitVr(dataSetBytes: Uint8Array): boolean {
  return /^[A-Z]{2}$/.test(String.fromCharCode(...dataSetBytes.subarray(4, 6)));
}

function inflate(deflated: Uint8Array, limits: ImageLimits): Uint8Array {
  try {
    return inflateRawSync(deflated, { maxOutputLength: limits.bytesMax });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new KinscanError(
        'IMAGE_TOO_LARGE',
        `the DICOM file inflates to more than ${limits.bytesMax} bytes`,
      );
    }
    throw new KinscanError('CORRUPT_IMAGE', 'the deflated DICOM data set is damaged');
  }
}

/** dicom-parser throws strings, Errors and { exception, dataSet }: only the last, with what was parsed, is of use here. */
function parse(
  bytes: Uint8Array,
  encoding: Encoding,
  untilTag: string,
): { dataSet: DataSet; hasFailed: boolean } {
  const options = { TransferSyntaxUID: plainTransferSyntaxOf(encoding), untilTag };
  try {
    return { dataSet: dicomParser.parseDicom(bytes, options), hasFailed: false };
  } catch (thrown) {
    const dataSet = (thrown as { dataSet?: DataSet } | undefined)?.dataSet;
    // the cause is left out: it holds the patient's data
    if (dataSet === undefined) throw new KinscanError('CORRUPT_IMAGE', 'the DICOM data set is damaged');
    return { dataSet, hasFailed: true };
  }
}

function pixelDataOf(dataSet: DataSet, bytes: Uint8Array): PixelData | undefined {
  for (const { tag, kind } of PIXEL_DATA_KINDS) {
    const element = dataSet.elements[tag];
    if (element === undefined) continue;
    const isEncapsulated = element.hadUndefinedLength === true;
    const value = bytes.subarray(element.dataOffset, element.dataOffset + element.length);
    return { kind, vr: element.vr, bytes: isEncapsulated ? undefined : value };
  }
  return undefined;
}
