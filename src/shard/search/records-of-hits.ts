import type { HitList } from '../../core/hit-list.js';
import { partitionOf } from '../../core/tie-key.js';
import { keepFields } from '../../runtime/proto-fields.js';
import type { LogApplier } from '../apply/log-applier.js';
import type { RecordStore } from '../store/record-store.js';

/** Of message ImageRecord: revision, metadata. The revision is never 0, so that what is kept is never empty. */
const FIELDS = new Set([2, 8]);
const FIELDS_WITH_THUMBNAIL = new Set([...FIELDS, 9]);
const NO_BYTES = Buffer.alloc(0);

/**
 * The records of hits as ShardSearchResponse carries them: protobuf bytes, cut down to what a result shows, in the order
 * of the hits; empty where the image was removed meanwhile. An image that is shown is searchable, too.
 * @throws KinscanError CORRUPT_RECORD
 */
export async function recordsOfHits(
  store: RecordStore,
  applier: LogApplier,
  { imageIds, tieKeys }: HitList,
  {
    partitionCount,
    includeThumbnails,
  }: { readonly partitionCount: number; readonly includeThumbnails: boolean },
): Promise<Buffer[]> {
  const refs = imageIds.map((imageId, i) => {
    const tieKey = tieKeys[i] as bigint;
    return { partition: partitionOf(tieKey, partitionCount), tieKey, imageId };
  });
  const stored = await store.readRecords(refs);
  await applier.searchable(imageIds);
  const fields = includeThumbnails ? FIELDS_WITH_THUMBNAIL : FIELDS;
  return stored.map((record) => (record === undefined ? NO_BYTES : keepFields(record, fields)));
}
