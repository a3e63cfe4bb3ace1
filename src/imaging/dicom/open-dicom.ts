import { KinscanError } from '../../core/errors.js';
import type { OpenImage } from '../open-image.js';
import type { ImageLimits } from '../image-limits.js';

export function openDicom(_bytes: Uint8Array, _limits: ImageLimits): OpenImage {
  throw new KinscanError('UNSUPPORTED_FORMAT', 'DICOM follows');
}
