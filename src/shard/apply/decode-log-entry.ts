import { assertCodeLength } from '../../core/code.js';
import { KinscanError } from '../../core/errors.js';
import { partitionOf, tieKeyOf } from '../../core/tie-key.js';
import type { ImageRecord, ImageRecord__Output } from '../../generated/kinscan/v1/ImageRecord.js';
import type { LogEntry, LogEntry__Output } from '../../generated/kinscan/v1/LogEntry.js';
import { messageCodec } from '../../runtime/proto.js';
import { packAttributes } from '../attributes/attribute-set.js';
import { REVISION_MAX } from '../store/tie-entry.js';

export interface RecordEntry {
  readonly kind: 'record';
  readonly imageId: string;
  readonly tieKey: bigint;
  readonly revision: number;
  readonly modelVersion: string;
  readonly code: Uint8Array;
  /** Empty where the model makes none. */
  readonly fineCode: Uint8Array;
  /** What queries can filter by, packed (packAttributes). */
  readonly attributes: Uint8Array;
  /** The ImageRecord as protobuf bytes. */
  readonly record: Uint8Array;
}

export interface RemovalEntry {
  readonly kind: 'removal';
  readonly imageId: string;
  readonly revision: number;
}

export type DecodedEntry = RecordEntry | RemovalEntry;

/** What a record must fit. */
export interface EntryRules {
  readonly partitionCount: number;
  readonly modelVersion: string;
  readonly codeBits: number;
  readonly fineCodeBits: number;
}

/** `id#frame` of the longest id. */
const ID_BYTES_MAX = 512 + 16;

const logEntryCodec = messageCodec<LogEntry, LogEntry__Output>('LogEntry');
const imageRecordCodec = messageCodec<ImageRecord, ImageRecord__Output>('ImageRecord');

/**
 * Reads one entry of the CODES log.
 * @param partition the partition of the subject it came on; undefined: the subject of all partitions
 * @throws KinscanError CORRUPT_RECORD, without anything of the content, where it is damaged or breaks the rules
 */
export function decodeLogEntry(
  bytes: Uint8Array,
  partition: number | undefined,
  rules: EntryRules,
): DecodedEntry {
  const { record, removal } = decode(bytes);
  if (record) return recordEntry(record, partition, rules, bytes);
  if (removal) {
    checkIdentity(removal.imageId, removal.revision);
    return { kind: 'removal', imageId: removal.imageId, revision: removal.revision };
  }
  throw corrupt('holds neither a record nor a removal');
}

function decode(bytes: Uint8Array): LogEntry__Output {
  try {
    return logEntryCodec.decode(bytes);
  } catch (cause) {
    throw corrupt('cannot be decoded', cause);
  }
}

function recordEntry(
  record: ImageRecord__Output,
  partition: number | undefined,
  rules: EntryRules,
  bytes: Uint8Array,
): RecordEntry {
  const { imageId, revision, modelVersion } = record;
  checkIdentity(imageId, revision);
  const tieKey = tieKeyOf(imageId);
  if (partitionOf(tieKey, rules.partitionCount) !== partition)
    throw corrupt('is on the subject of another partition');
  const code = record.code?.bits ?? Buffer.alloc(0);
  const fineCode = record.fineCode?.bits ?? Buffer.alloc(0);
  // codes of another model version are kept but never compared, so their length is their own affair
  if (modelVersion === rules.modelVersion) {
    checkCode(code, rules.codeBits);
    if (rules.fineCodeBits > 0) checkCode(fineCode, rules.fineCodeBits);
    else if (fineCode.length > 0) throw corrupt('has a fine code, which its model version does not make');
  } else if (code.length > 255 || fineCode.length > 255) {
    throw corrupt('has a code that is too long');
  }
  return {
    kind: 'record',
    imageId,
    tieKey,
    revision,
    modelVersion,
    code,
    fineCode,
    attributes: packAttributes(record.metadata ?? {}),
    record: recordBytesOf(bytes) ?? imageRecordCodec.encode(record),
  };
}

function checkIdentity(imageId: string, revision: number): void {
  const idBytes = Buffer.byteLength(imageId, 'utf8');
  if (idBytes === 0 || idBytes > ID_BYTES_MAX) throw corrupt('has an image id of a wrong length');
  if (!Number.isSafeInteger(revision) || revision < 1 || revision > REVISION_MAX)
    throw corrupt('has no valid revision');
}

function checkCode(code: Uint8Array, codeBits: number): void {
  try {
    assertCodeLength(code, codeBits);
  } catch (cause) {
    throw corrupt('has a code of a wrong length', cause);
  }
}

const RECORD_TAG = (1 << 3) | 2;

/**
 * The record's own bytes inside the entry's, so that it is stored as it was published, fields of newer versions
 * included, and not encoded again: `0a length record` is all there is in an entry that an encoder writes
 * (https://protobuf.dev/programming-guides/encoding). undefined: it is not of that simple form.
 */
function recordBytesOf(entry: Uint8Array): Uint8Array | undefined {
  if (entry[0] !== RECORD_TAG) return undefined;
  let length = 0;
  let at = 1;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = entry[at++];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return at + length === entry.length ? entry.subarray(at) : undefined;
  }
  return undefined;
}

function corrupt(what: string, cause?: unknown): KinscanError {
  return new KinscanError('CORRUPT_RECORD', `an entry of the CODES log ${what}`, { cause });
}
