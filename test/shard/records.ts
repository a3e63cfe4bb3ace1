import { codeByteLength } from '../../src/core/code.js';
import type { Random } from '../../src/core/random.js';
import { partitionOf, tieKeyOf } from '../../src/core/tie-key.js';
import type { ImageRecord } from '../../src/generated/kinscan/v1/ImageRecord.js';
import type { LogEntry, LogEntry__Output } from '../../src/generated/kinscan/v1/LogEntry.js';
import { messageCodec } from '../../src/runtime/proto.js';
import type { RawEntry } from '../../src/shard/apply/log-applier.js';

/** Small settings for tests: 4 partitions, 16-bit codes. */
export const PARTITION_COUNT = 4;
export const MODEL = { modelVersion: 'a'.repeat(64), codeBits: 16, fineCodeBits: 0 } as const;

export const logEntryCodec = messageCodec<LogEntry, LogEntry__Output>('LogEntry');

/** A record with a thumbnail and metadata, of MODEL unless said otherwise. */
export function recordOf(
  imageId: string,
  revision: number,
  bits: Uint8Array,
  overrides: Partial<ImageRecord> = {},
): ImageRecord {
  return {
    imageId,
    revision,
    modelVersion: MODEL.modelVersion,
    code: { bits, codeBits: bits.length * 8 },
    embedding: Buffer.from([1, 2, 3]),
    embeddingScale: 0.5,
    metadata: { modality: 'CT', label: `label of revision ${revision}` },
    thumbnail: Buffer.alloc(100, revision & 0xff),
    acceptedAtMs: 1_700_000_000_000,
    ...overrides,
  };
}

export function partitionOfId(imageId: string, partitionCount = PARTITION_COUNT): number {
  return partitionOf(tieKeyOf(imageId), partitionCount);
}

export function recordEntry(
  sequence: number,
  record: ImageRecord,
  partitionCount = PARTITION_COUNT,
): RawEntry {
  return {
    sequence,
    partition: partitionOfId(record.imageId ?? '', partitionCount),
    bytes: logEntryCodec.encode({ record }),
  };
}

/** @param partition undefined: for all partitions, as the encoder publishes it for an id without a frame */
export function removalEntry(
  sequence: number,
  imageId: string,
  revision: number,
  partition?: number,
): RawEntry {
  return { sequence, partition, bytes: logEntryCodec.encode({ removal: { imageId, revision } }) };
}

export function randomCode(random: Random, codeBits: number): Uint8Array {
  return Uint8Array.from({ length: codeByteLength(codeBits) }, () => random.integer(256));
}
