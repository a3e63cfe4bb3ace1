import { numberOfFramesOf } from './dicom/pixel-layout.js';
import { parseHeader, type HeaderScope } from './dicom/parse-header.js';
import { uidOf } from './dicom/dicom-metadata.js';
import { imageFormatOf, type ImageFormat } from './image-format.js';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits } from './image-limits.js';

/** What an image's header says of its identity. */
export interface ImageIdentity {
  /** undefined where the format is none that kinscan reads. */
  readonly format: ImageFormat | undefined;
  /** SOP Instance UID (0008,0018), only of DICOM files. */
  readonly sopInstanceUid?: string;
  /**
   * Number of Frames (0028,0008), 1 where absent, never above limits.framesMax; undefined where it cannot be told, and
   * for other formats.
   */
  readonly numberOfFrames?: number;
}

/** Rows stands right behind Number of Frames, and in every image. Both lie within the first kilobytes of usual files. */
const IDENTITY_SCOPE: HeaderScope = { untilTag: 'x00280010', bytesMax: 1024 * 1024 };

/**
 * Reads just enough of a file to name its images; no pixels are decoded, compressed DICOM is read too. Never throws: a
 * damaged DICOM file gives what stands before the damage.
 */
export function identifyImage(bytes: Uint8Array, limits: ImageLimits = DEFAULT_IMAGE_LIMITS): ImageIdentity {
  const format = imageFormatOf(bytes);
  if (format !== 'dicom') return { format };
  try {
    const header = parseHeader(bytes, limits, IDENTITY_SCOPE);
    const sopInstanceUid = uidOf(header.elements, 'x00080018');
    const frames = numberOfFramesOf(header.elements);
    const isKnown = (header.isComplete || header.elements.has('x00280008')) && frames <= limits.framesMax;
    return {
      format,
      ...(sopInstanceUid !== undefined && { sopInstanceUid }),
      ...(isKnown && { numberOfFrames: frames }),
    };
  } catch {
    return { format };
  }
}
