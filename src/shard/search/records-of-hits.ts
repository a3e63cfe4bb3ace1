import { partitionOf } from '../../core/tie-key.js';
import type { LogApplier } from '../apply/log-applier.js';
import type { RecordStore } from '../store/record-store.js';
import { summaryOf } from '../store/record-summary.js';
import type { ShownHits } from './resolve-hits.js';

const NO_BYTES = Buffer.alloc(0);

/**
 * The records of hits as ShardSearchResponse carries them: protobuf bytes, cut down to what a result shows, in the order
 * of the hits. They are at hand but for thumbnails, which are read; one is empty where the image was removed meanwhile. An
 * image that is shown is searchable, too.
 * @throws KinscanError CORRUPT_RECORD
 */
export async function recordsOfHits(
  store: RecordStore,
  applier: LogApplier,
  { hits: { imageIds, tieKeys }, summaries }: ShownHits,
  {
    partitionCount,
    includeThumbnails,
  }: { readonly partitionCount: number; readonly includeThumbnails: boolean },
): Promise<readonly Uint8Array[]> {
  if (!includeThumbnails) {
    await applier.searchable(imageIds);
    return summaries;
  }
  const refs = imageIds.map((imageId, i) => {
    const tieKey = tieKeys[i] as bigint;
    return { partition: partitionOf(tieKey, partitionCount), tieKey, imageId };
  });
  const stored = await store.readRecords(refs);
  await applier.searchable(imageIds);
  return stored.map((record) =>
    record === undefined ? NO_BYTES : summaryOf(record, { includeThumbnail: true }),
  );
}
