import { createHash } from 'node:crypto';
import type { ImageMetadata } from '../../core/image-metadata.js';

/** What a query can be filtered or grouped by, in the order of the packed form. */
export const ATTRIBUTE_FIELDS = [
  'label',
  'modality',
  'bodyPart',
  'laterality',
  'studyInstanceUid',
  'seriesInstanceUid',
  'patientHash',
] as const;
export type AttributeField = (typeof ATTRIBUTE_FIELDS)[number];

/** Bytes that stand for one value. */
export const VALUE_HASH_BYTES = 16;
/** Bytes of a packed attribute set. */
export const ATTRIBUTE_SET_BYTES = ATTRIBUTE_FIELDS.length * VALUE_HASH_BYTES + 4;
/** Where the study date lies in a packed attribute set. */
export const STUDY_DATE_OFFSET = ATTRIBUTE_FIELDS.length * VALUE_HASH_BYTES;

/**
 * The first 128 bits of the SHA-256 of a value, by which values are compared: equal values have equal hashes, and no two
 * different values with the same hash are known to anyone.
 */
export function valueHash(value: string): Buffer {
  return createHash('sha256').update(value, 'utf8').digest().subarray(0, VALUE_HASH_BYTES);
}

/**
 * Packs what filters need of an image's metadata. All images of a series have the same set, so a gallery has far fewer
 * sets than images, and each row of the index needs only a set's number (attribute-table.ts).
 *
 *     | label | modality | bodyPart | laterality | studyInstanceUid | seriesInstanceUid | patientHash |  studyDate   |
 *     | 16 bytes each: valueHash, or zeros where the image has no such value                         | u32 YYYYMMDD |
 */
export function packAttributes(metadata: ImageMetadata): Buffer {
  const packed = Buffer.alloc(ATTRIBUTE_SET_BYTES);
  ATTRIBUTE_FIELDS.forEach((field, i) => {
    const value = metadata[field];
    if (value !== undefined && value !== '') packed.set(valueHash(value), i * VALUE_HASH_BYTES);
  });
  packed.writeUInt32LE(metadata.studyDate ?? 0, STUDY_DATE_OFFSET);
  return packed;
}
