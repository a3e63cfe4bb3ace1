import { createHmac } from 'node:crypto';
import type { ImageMetadata } from '../../core/image-metadata.js';
import { isCalendarDate, isUid } from '../../core/metadata-values.js';
import type { Elements } from './elements.js';
import type { PixelLayout } from './pixel-layout.js';

/**
 * The metadata of one frame; only the elements named here are read.
 * @param frameIndex from 0
 * @param patientHashKey empty: no patient hash is made
 */
export function metadataOf(
  elements: Elements,
  layout: PixelLayout,
  frameIndex: number,
  patientHashKey: string,
): ImageMetadata {
  const isMultiFrame = layout.frameCount > 1;
  const metadata = {
    modality: wordOf(elements, 'x00080060'),
    bodyPart: wordOf(elements, 'x00180015'),
    laterality: wordOf(elements, 'x00200062') ?? wordOf(elements, 'x00200060'),
    studyInstanceUid: uidOf(elements, 'x0020000d'),
    seriesInstanceUid: uidOf(elements, 'x0020000e'),
    sopInstanceUid: uidOf(elements, 'x00080018'),
    studyDate: dateOf(elements, 'x00080020'),
    patientHash: patientHashOf(elements, patientHashKey),
    frameNumber: isMultiFrame ? frameIndex + 1 : undefined,
    numberOfFrames: isMultiFrame ? layout.frameCount : undefined,
    rows: layout.rows,
    columns: layout.columns,
  };
  const present = Object.entries(metadata).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present);
}

/** VR CS allows 16 characters; what does not look like one code word is dropped, lest it be free text. */
function wordOf(elements: Elements, tag: string): string | undefined {
  const text = elements.text(tag);
  return text !== undefined && /^[A-Za-z0-9_ -]{1,16}$/.test(text) ? text : undefined;
}

/** VR UI: at most 64 digits and dots. */
export function uidOf(elements: Elements, tag: string): string | undefined {
  const text = elements.text(tag);
  return text !== undefined && isUid(text) ? text : undefined;
}

/** VR DA: YYYYMMDD, or YYYY.MM.DD as before DICOM 3.0 (PS3.5 section 6.2). */
function dateOf(elements: Elements, tag: string): number | undefined {
  const text = elements.text(tag);
  if (text === undefined || !/^(\d{8}|\d{4}\.\d\d\.\d\d)$/.test(text)) return undefined;
  const date = Number(text.replaceAll('.', ''));
  return isCalendarDate(date) ? date : undefined;
}

/**
 * HMAC-SHA-256 (RFC 2104) of Patient ID (0010,0020), in hexadecimal: the bytes as they stand in the file, without padding.
 * Patient ids are few and guessable, so only the secret key keeps the hash from being undone. The id itself goes nowhere.
 */
function patientHashOf(elements: Elements, key: string): string | undefined {
  if (key === '') return undefined;
  const patientId = elements.text('x00100020');
  if (patientId === undefined) return undefined;
  return createHmac('sha256', key).update(patientId, 'latin1').digest('hex');
}
