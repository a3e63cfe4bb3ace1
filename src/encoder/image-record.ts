import { codeOfEmbedding } from '../core/code.js';
import { baseImageId, frameImageId } from '../core/image-id.js';
import { partitionOf, tieKeyOf } from '../core/tie-key.js';
import type { ImageTask, ImageTask__Output } from '../generated/kinscan/v1/ImageTask.js';
import type { IngestTask__Output } from '../generated/kinscan/v1/IngestTask.js';
import type { LogEntry, LogEntry__Output } from '../generated/kinscan/v1/LogEntry.js';
import { messageCodec } from '../runtime/proto.js';
import { SUBJECT } from '../runtime/streams.js';
import type { DecodedImage } from './decode-task.js';
import type { ImageEncoding } from './inference.js';
import { mergeMetadata } from './merge-metadata.js';
import { quantiseEmbedding } from './quantise-embedding.js';

export const imageTaskCodec = messageCodec<ImageTask, ImageTask__Output>('ImageTask');
const logEntryCodec = messageCodec<LogEntry, LogEntry__Output>('LogEntry');

/** A message for the CODES log, ready to be published. */
export interface CodesMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** JetStream drops a second message of the same id within its window of two minutes. */
  readonly messageId: string;
  /** undefined: it concerns every partition. */
  readonly partition: number | undefined;
}

export interface RecordSource {
  readonly task: IngestTask__Output;
  readonly revision: number;
  readonly modelVersion: string;
  readonly partitionCount: number;
}

/** @param frame which image of the file: its 0-based index and how many there are; one alone keeps the plain id */
export function recordMessage(
  source: RecordSource,
  frame: { readonly index: number; readonly count: number },
  image: DecodedImage,
  encoding: ImageEncoding,
): CodesMessage {
  const { task, revision } = source;
  const imageId = frame.count === 1 ? task.imageId : frameImageId(task.imageId, frame.index + 1);
  const partition = partitionOf(tieKeyOf(imageId), source.partitionCount);
  const { embedding, fineEmbedding } = encoding;
  const quantised = quantiseEmbedding(embedding);
  const data = logEntryCodec.encode({
    record: {
      imageId,
      revision,
      modelVersion: source.modelVersion,
      code: { bits: codeOfEmbedding(embedding), codeBits: embedding.length },
      ...(fineEmbedding.length > 0 && {
        fineCode: { bits: codeOfEmbedding(fineEmbedding), codeBits: fineEmbedding.length },
      }),
      embedding: new Uint8Array(quantised.bytes.buffer),
      embeddingScale: quantised.scale,
      metadata: mergeMetadata(image.metadata, task.metadata),
      thumbnail: image.thumbnail,
      acceptedAtMs: task.acceptedAtMs,
    },
  });
  return { subject: SUBJECT.codes(partition), data, messageId: `${imageId}:${revision}`, partition };
}

/**
 * Removes what is older than a revision. The id of one frame concerns the partition of that frame alone; any other may
 * name an instance, whose frames lie in any partition.
 */
export function removalMessage(imageId: string, revision: number, partitionCount: number): CodesMessage {
  const partition =
    baseImageId(imageId) === imageId ? undefined : partitionOf(tieKeyOf(imageId), partitionCount);
  return {
    subject: partition === undefined ? SUBJECT.codesAll : SUBJECT.codes(partition),
    data: logEntryCodec.encode({ removal: { imageId, revision } }),
    messageId: `${imageId}:${revision}:removal`,
    partition,
  };
}
