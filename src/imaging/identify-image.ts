import { numberOfFramesOf } from './dicom/pixel-layout.js';
import { parseHeader } from './dicom/parse-header.js';
import { uidOf } from './dicom/dicom-metadata.js';
import { imageFormatOf, type ImageFormat } from './image-format.js';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits } from './image-limits.js';

/** What an image's header says of its identity. */
export interface ImageIdentity {
  /** undefined where the format is none that kinscan reads. */
  readonly format: ImageFormat | undefined;
  /** SOP Instance UID (0008,0018), only of DICOM files. */
  readonly sopInstanceUid?: string;
  /** Number of Frames (0028,0008), 1 where absent; only of DICOM files. */
  readonly numberOfFrames?: number;
}

/**
 * Reads just enough of a file to name its images; no pixels are decoded, compressed DICOM is read too. Never throws: a
 * damaged DICOM file gives what stands before the damage.
 */
export function identifyImage(bytes: Uint8Array, limits: ImageLimits = DEFAULT_IMAGE_LIMITS): ImageIdentity {
  const format = imageFormatOf(bytes);
  if (format !== 'dicom') return { format };
  try {
    const { elements } = parseHeader(bytes, limits);
    const sopInstanceUid = uidOf(elements, 'x00080018');
    const numberOfFrames = numberOfFramesOf(elements);
    return sopInstanceUid === undefined
      ? { format, numberOfFrames }
      : { format, sopInstanceUid, numberOfFrames };
  } catch {
    return { format };
  }
}
