import { KinscanError } from '../core/errors.js';
import { contentImageId, validateImageId } from '../core/image-id.js';
import { isCalendarDate, isPatientHash, isUid } from '../core/metadata-values.js';
import type { ImageMetadata } from '../generated/kinscan/v1/ImageMetadata.js';
import type { IngestRequest__Output } from '../generated/kinscan/v1/IngestRequest.js';
import { identifyImage } from '../imaging/identify-image.js';

/** Longest label, in bytes of UTF-8. */
const LABEL_BYTES_MAX = 256;
/** Longest of the other fields that a client may set: DICOM's value representation LO holds 64 characters (PS3.5 6.2). */
const FIELD_BYTES_MAX = 64;

/** An image that was found fit to be queued; whether it can be decoded is for the encoder to say. */
export interface AcceptableImage {
  readonly imageId: string;
  readonly content: Buffer;
  readonly metadata: ImageMetadata;
}

/**
 * Checks a request and names its image: the client's id, else the DICOM SOP Instance UID, else the SHA-256 of the bytes.
 * @throws KinscanError INVALID_IMAGE_ID, EMPTY_IMAGE, IMAGE_TOO_LARGE, INVALID_ARGUMENT (metadata)
 */
export function acceptImage(request: IngestRequest__Output, imageBytesMax: number): AcceptableImage {
  const { content } = request;
  if (request.imageId !== '') validateImageId(request.imageId);
  if (content.length === 0) throw new KinscanError('EMPTY_IMAGE', 'the image has no bytes');
  if (content.length > imageBytesMax) {
    throw new KinscanError(
      'IMAGE_TOO_LARGE',
      `the image has ${content.length} bytes, more than ${imageBytesMax}`,
    );
  }
  const imageId = request.imageId === '' ? derivedImageId(content) : request.imageId;
  return { imageId, content, metadata: clientMetadata(request) };
}

function derivedImageId(content: Buffer): string {
  const { sopInstanceUid } = identifyImage(content);
  return sopInstanceUid === undefined ? contentImageId(content) : validateImageId(sopInstanceUid);
}

/** Only what a client may say of its image: all else comes from the file itself. */
function clientMetadata({ metadata }: IngestRequest__Output): ImageMetadata {
  if (metadata === null) return {};
  return {
    modality: limited('modality', metadata.modality, FIELD_BYTES_MAX),
    bodyPart: limited('body_part', metadata.bodyPart, FIELD_BYTES_MAX),
    laterality: limited('laterality', metadata.laterality, FIELD_BYTES_MAX),
    label: limited('label', metadata.label, LABEL_BYTES_MAX),
    studyInstanceUid: uid('study_instance_uid', metadata.studyInstanceUid),
    seriesInstanceUid: uid('series_instance_uid', metadata.seriesInstanceUid),
    studyDate: date('study_date', metadata.studyDate),
    patientHash: hash('patient_hash', metadata.patientHash),
  };
}

/** Absent values, '' and 0, are as good as valid ones in the functions below. */
function uid(field: string, value: string): string {
  if (value === '' || isUid(value)) return value;
  throw new KinscanError('INVALID_ARGUMENT', `${field} is at most 64 digits and dots`);
}

function date(field: string, value: number): number {
  if (value === 0 || isCalendarDate(value)) return value;
  throw new KinscanError('INVALID_ARGUMENT', `${field} is a day, as the number YYYYMMDD`);
}

function hash(field: string, value: string): string {
  if (value === '' || isPatientHash(value)) return value;
  throw new KinscanError('INVALID_ARGUMENT', `${field} is 64 lower-case hexadecimal digits`);
}

function limited(field: string, value: string, bytesMax: number): string {
  if (Buffer.byteLength(value, 'utf8') <= bytesMax) return value;
  throw new KinscanError('INVALID_ARGUMENT', `${field} is longer than ${bytesMax} bytes`);
}
