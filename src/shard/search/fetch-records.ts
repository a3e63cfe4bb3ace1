import { partitionOf, tieKeyOf } from '../../core/tie-key.js';
import type { ImageRecord, ImageRecord__Output } from '../../generated/kinscan/v1/ImageRecord.js';
import { messageCodec } from '../../runtime/proto.js';
import type { LogApplier } from '../apply/log-applier.js';
import type { RecordStore } from '../store/record-store.js';

export interface FetchOptions {
  readonly imageIds: readonly string[];
  readonly includeThumbnail: boolean;
  readonly includeEmbedding: boolean;
}

const recordCodec = messageCodec<ImageRecord, ImageRecord__Output>('ImageRecord');
/** Records decoded before the event loop runs again. */
const DECODE_CHUNK = 250;
const NO_BYTES = Buffer.alloc(0);

/**
 * The records of the ids that are stored here, in the order asked. An image that is shown is searchable, too.
 * @throws KinscanError CORRUPT_RECORD
 */
export async function fetchRecords(
  store: RecordStore,
  applier: LogApplier,
  partitionCount: number,
  options: FetchOptions,
): Promise<ImageRecord__Output[]> {
  const refs = options.imageIds
    .map((imageId) => {
      const tieKey = tieKeyOf(imageId);
      return { partition: partitionOf(tieKey, partitionCount), tieKey, imageId };
    })
    .filter(({ partition }) => applier.isHosted(partition));
  const stored = await store.readRecords(refs);
  await applier.searchable(refs.map(({ imageId }) => imageId));
  const records: ImageRecord__Output[] = [];
  for (const bytes of stored) {
    if (bytes === undefined) continue;
    const record = recordCodec.decode(bytes);
    records.push({
      ...record,
      thumbnail: options.includeThumbnail ? record.thumbnail : NO_BYTES,
      embedding: options.includeEmbedding ? record.embedding : NO_BYTES,
    });
    if (records.length % DECODE_CHUNK === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return records;
}
