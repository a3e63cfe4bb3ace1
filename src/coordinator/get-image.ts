import { KinscanError } from '../core/errors.js';
import { validateImageId } from '../core/image-id.js';
import type { GetImageRequest__Output } from '../generated/kinscan/v1/GetImageRequest.js';
import type { GetImageResponse } from '../generated/kinscan/v1/GetImageResponse.js';
import type { Deadline } from './deadline.js';
import type { RecordFetcher } from './record-fetcher.js';

/** What is kept of one image. @throws KinscanError INVALID_IMAGE_ID, IMAGE_NOT_FOUND, SHARD_UNAVAILABLE */
export async function getImage(
  request: GetImageRequest__Output,
  fetcher: RecordFetcher,
  deadline: Deadline,
): Promise<GetImageResponse> {
  const { imageId, includeThumbnail, includeEmbedding } = request;
  validateImageId(imageId);
  const record = (await fetcher.byId([imageId], { includeThumbnail, includeEmbedding }, deadline)).get(
    imageId,
  );
  if (record === undefined) throw new KinscanError('IMAGE_NOT_FOUND', 'no image with this id is indexed');
  return {
    imageId,
    revision: record.revision,
    modelVersion: record.modelVersion,
    code: record.code,
    fineCode: record.fineCode,
    metadata: record.metadata,
    thumbnail: record.thumbnail,
    embedding: includeEmbedding ? restoredEmbedding(record.embedding, record.embeddingScale) : [],
  };
}

/** Stored as signed bytes: value = byte * scale. */
function restoredEmbedding(bytes: Buffer, scale: number): number[] {
  return Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length), (byte) => byte * scale);
}
