import { createHash } from 'node:crypto';
import { KinscanError } from './errors.js';

/** Longest image id, in bytes of UTF-8. */
export const IMAGE_ID_BYTES_MAX = 512;

/** Control characters, and halves of surrogate pairs, which UTF-8 cannot carry. */
const FORBIDDEN_CHARACTERS = /[\p{Cc}\p{Cs}]/u;

/**
 * Returns the id where it is 1 to 512 bytes of UTF-8 without control characters.
 * @throws KinscanError INVALID_IMAGE_ID, without the id in the text, since it may name a patient
 */
export function validateImageId(imageId: string): string {
  const length = Buffer.byteLength(imageId, 'utf8');
  if (length === 0) throw new KinscanError('INVALID_IMAGE_ID', 'the image id is empty');
  if (length > IMAGE_ID_BYTES_MAX) {
    throw new KinscanError(
      'INVALID_IMAGE_ID',
      `the image id has ${length} bytes, more than ${IMAGE_ID_BYTES_MAX}`,
    );
  }
  if (FORBIDDEN_CHARACTERS.test(imageId)) {
    throw new KinscanError('INVALID_IMAGE_ID', 'the image id holds control characters');
  }
  return imageId;
}

/** The id of an image that has no other: the SHA-256 of its bytes, 64 lower-case hexadecimal digits. */
export function contentImageId(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The id of one frame of a multi-frame instance; @param frameNumber 1-based */
export function frameImageId(baseId: string, frameNumber: number): string {
  return `${baseId}#${frameNumber}`;
}

/** The id without its frame number: `1.2.3#4` gives `1.2.3`, an id without one gives itself. */
export function baseImageId(imageId: string): string {
  return imageId.replace(/#[1-9][0-9]*$/, '');
}

/** The ids of all images of a file: the base id itself for one frame, else `base#1` to `base#n`. */
export function imageIdsOf(baseId: string, numberOfFrames: number): string[] {
  if (numberOfFrames <= 1) return [baseId];
  return Array.from({ length: numberOfFrames }, (_, index) => frameImageId(baseId, index + 1));
}
