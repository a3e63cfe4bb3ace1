import { AssertionError, KinscanError } from '../../core/errors.js';
import type { ImageLimits } from '../image-limits.js';
import type { DecodedFrame, OpenImage } from '../open-image.js';
import { metadataOf } from './dicom-metadata.js';
import { toGray } from './gray-values.js';
import { parseHeader, type DicomHeader } from './parse-header.js';
import { pixelLayoutOf, type PixelLayout } from './pixel-layout.js';
import { readStoredValues } from './stored-values.js';
import { hasNativePixelData } from './transfer-syntax.js';

/**
 * Opens a DICOM file with native pixel data; every frame is one image.
 * @throws KinscanError UNSUPPORTED_TRANSFER_SYNTAX, UNSUPPORTED_PHOTOMETRIC, NO_PIXEL_DATA, PIXEL_LIMIT_EXCEEDED,
 * IMAGE_TOO_LARGE, CORRUPT_IMAGE
 */
export function openDicom(bytes: Uint8Array, limits: ImageLimits, patientHashKey: string): OpenImage {
  const { header, layout } = orCorrupt(() => describe(bytes, limits));
  const readFrame = (index: number): DecodedFrame => {
    const values = readStoredValues(layout, index);
    const pixels = toGray(values, layout, header.elements, index);
    const frame = { width: layout.columns, height: layout.rows, pixels };
    return { frame, metadata: metadataOf(header.elements, layout, index, patientHashKey) };
  };
  return {
    format: 'dicom',
    frameCount: layout.frameCount,

    readFrame: async (index) => orCorrupt(() => readFrame(index)),
  };
}

function describe(bytes: Uint8Array, limits: ImageLimits): { header: DicomHeader; layout: PixelLayout } {
  const header = parseHeader(bytes, limits);
  if (header.pixelData !== undefined && !hasNativePixelData(header.transferSyntaxUid)) {
    throw new KinscanError(
      'UNSUPPORTED_TRANSFER_SYNTAX',
      `transfer syntax ${header.transferSyntaxUid} is compressed`,
    );
  }
  return { header, layout: pixelLayoutOf(header, limits) };
}

/** What dicom-parser throws at damaged files is no Error of a kind of its own; its text is dropped, as it may quote them. */
function orCorrupt<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof KinscanError || error instanceof AssertionError) throw error;
    throw new KinscanError('CORRUPT_IMAGE', 'the DICOM file is damaged');
  }
}
