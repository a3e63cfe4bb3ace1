import { KinscanError } from '../core/errors.js';
import { openDicom } from './dicom/open-dicom.js';
import { imageFormatOf } from './image-format.js';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits } from './image-limits.js';
import type { DecodedFrame, OpenImage } from './open-image.js';
import { decodeRaster } from './raster.js';

/**
 * Opens a PNG, JPEG, TIFF or DICOM file; its first bytes say which, not its name.
 * @throws KinscanError, here or from readFrame, and nothing else whatever the bytes: EMPTY_IMAGE, IMAGE_TOO_LARGE,
 * UNSUPPORTED_FORMAT, UNSUPPORTED_TRANSFER_SYNTAX, UNSUPPORTED_PHOTOMETRIC, NO_PIXEL_DATA, PIXEL_LIMIT_EXCEEDED,
 * CORRUPT_IMAGE
 * @param patientHashKey secret; empty: the metadata have no patient hash
 */
export async function openImage(
  bytes: Uint8Array,
  limits: ImageLimits = DEFAULT_IMAGE_LIMITS,
  patientHashKey = '',
): Promise<OpenImage> {
  if (bytes.length === 0) throw new KinscanError('EMPTY_IMAGE', 'the image has no bytes');
  if (bytes.length > limits.bytesMax) {
    throw new KinscanError('IMAGE_TOO_LARGE', `${bytes.length} bytes are more than ${limits.bytesMax}`);
  }
  const format = imageFormatOf(bytes);
  if (format === undefined) {
    throw new KinscanError('UNSUPPORTED_FORMAT', 'the bytes are not PNG, JPEG, TIFF or DICOM');
  }
  if (format === 'dicom') return openDicom(bytes, limits, patientHashKey);
  const readFrame = async (): Promise<DecodedFrame> => {
    const frame = await decodeRaster(bytes, format, limits);
    return { frame, metadata: { rows: frame.height, columns: frame.width } };
  };
  return { format, frameCount: 1, readFrame };
}

/** The first frame of an image; throws what openImage and readFrame throw. */
export async function decodeImage(
  bytes: Uint8Array,
  limits: ImageLimits = DEFAULT_IMAGE_LIMITS,
): Promise<DecodedFrame> {
  const image = await openImage(bytes, limits);
  return image.readFrame(0);
}
