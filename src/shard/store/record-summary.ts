import { keepFields } from '../../runtime/proto-fields.js';

/** Of message ImageRecord: revision, metadata. The revision is never 0, so that what is kept is never empty. */
const FIELDS = new Set([2, 8]);
const FIELDS_WITH_THUMBNAIL = new Set([...FIELDS, 9]);

/**
 * What a result shows of an image: its ImageRecord cut down to revision and metadata, and its thumbnail where asked for.
 * @param record protobuf bytes
 * @throws RangeError where the bytes are not a message
 */
export function summaryOf(record: Uint8Array, { includeThumbnail = false } = {}): Buffer {
  return keepFields(record, includeThumbnail ? FIELDS_WITH_THUMBNAIL : FIELDS);
}
