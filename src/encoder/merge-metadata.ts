import type { ImageMetadata } from '../core/image-metadata.js';

/** Longest text of one metadata field, in bytes of UTF-8; DICOM's own are at most 64 characters. */
export const METADATA_TEXT_BYTES_MAX = 256;

/** Fields that the client may set (the coordinator has checked them); all others come from the file alone. */
const CLIENT_FIELDS = [
  'modality',
  'bodyPart',
  'laterality',
  'label',
  'studyInstanceUid',
  'seriesInstanceUid',
  'studyDate',
  'patientHash',
] as const satisfies readonly (keyof ImageMetadata)[];

type ClientMetadata = Pick<ImageMetadata, (typeof CLIENT_FIELDS)[number]>;

/** What the file says, with what the client says on top: where it speaks, it knows better than a header. */
export function mergeMetadata(file: ImageMetadata, client: ClientMetadata | null | undefined): ImageMetadata {
  const merged: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(file) as [string, string | number | undefined][]) {
    if (value !== undefined) merged[key] = typeof value === 'string' ? shorten(value) : value;
  }
  for (const field of CLIENT_FIELDS) {
    const value = client?.[field];
    if (value === undefined || value === '' || value === 0) continue;
    merged[field] = typeof value === 'string' ? shorten(value) : value;
  }
  return merged;
}

/** Cut at a character, so that the text stays valid UTF-8. */
function shorten(text: string): string {
  if (Buffer.byteLength(text, 'utf8') <= METADATA_TEXT_BYTES_MAX) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(METADATA_TEXT_BYTES_MAX));
  return text.slice(0, read);
}
