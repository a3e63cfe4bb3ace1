import { createHash } from 'node:crypto';
import { KinscanError } from '../../core/errors.js';
import { sealValue, unsealValue } from './sealed-value.js';

/** A revision that also orders the entries of a log that was lost and begun anew: generation * 2^40 + revision. */
export type LogRevision = number;

const GENERATION_STEP = 2 ** 40;
/** Revisions are below this: more images than one log can hold. */
export const REVISION_MAX = GENERATION_STEP - 1;
export const GENERATION_MAX = 2 ** 13 - 1;

/** @param generation how often the log was begun anew; @param revision 0 to REVISION_MAX */
export function logRevisionOf(generation: number, revision: number): LogRevision {
  return generation * GENERATION_STEP + revision;
}

/** What search needs of an indexed image. */
export interface LiveImage {
  readonly revision: LogRevision;
  /** modelTagOf the model version that made the codes. */
  readonly modelTag: bigint;
  readonly code: Uint8Array;
  /** Empty where the model makes none. */
  readonly fineCode: Uint8Array;
  /** Number of its attribute set (attributes/attribute-table.ts). */
  readonly attributes: number;
  /** What a result shows of it (summaryOf), so that a hit is one read of the store. */
  readonly summary: Uint8Array;
}

/** All that decides what becomes of the log's next entry for an image id. */
export interface IdState {
  readonly imageId: string;
  /** The tombstone: records of a lower revision, of this id and of its frames, are not taken. 0: none. */
  readonly removedBefore: LogRevision;
  readonly live: LiveImage | undefined;
}

/** 64 bits that stand for a model version: enough to tell the few that a cluster ever sees apart. */
export function modelTagOf(modelVersion: string): bigint {
  return createHash('sha256').update(modelVersion, 'utf8').digest().readBigUInt64LE(0);
}

const STATE_FIXED_BYTES = 2 + 8 + 1;
const LIVE_FIXED_BYTES = 8 + 8 + 4 + 4 + 1 + 1;

/**
 * The ids of one tie key, nearly always one; little-endian:
 *
 *     | idBytes u16 | id UTF-8 | removedBefore u64 | live u8 |   and where live is 1:
 *     | revision u64 | modelTag u64 | attributes u32 | summaryBytes u32 | codeBytes u8 | fineCodeBytes u8 |
 *     | code | fineCode | summary |
 *
 * one such group for each id, ids ascending by their bytes. The whole is sealed.
 */
export function encodeTieEntry(states: readonly IdState[]): Buffer {
  const parts = states.map((state) => ({ state, id: Buffer.from(state.imageId, 'utf8') }));
  parts.sort((a, b) => Buffer.compare(a.id, b.id));
  return sealValue(...parts.map(({ state, id }) => encodeState(state, id)));
}

function encodeState(state: IdState, id: Buffer): Buffer {
  const { live } = state;
  const liveBytes =
    live === undefined ? 0 : LIVE_FIXED_BYTES + live.code.length + live.fineCode.length + live.summary.length;
  const bytes = Buffer.allocUnsafe(STATE_FIXED_BYTES + id.length + liveBytes);
  let at = bytes.writeUInt16LE(id.length, 0);
  at += id.copy(bytes, at);
  at = bytes.writeBigUInt64LE(BigInt(state.removedBefore), at);
  at = bytes.writeUInt8(live === undefined ? 0 : 1, at);
  if (live === undefined) return bytes;
  at = bytes.writeBigUInt64LE(BigInt(live.revision), at);
  at = bytes.writeBigUInt64LE(live.modelTag, at);
  at = bytes.writeUInt32LE(live.attributes, at);
  at = bytes.writeUInt32LE(live.summary.length, at);
  at = bytes.writeUInt8(live.code.length, at);
  at = bytes.writeUInt8(live.fineCode.length, at);
  bytes.set(live.code, at);
  bytes.set(live.fineCode, at + live.code.length);
  bytes.set(live.summary, at + live.code.length + live.fineCode.length);
  return bytes;
}

/** @throws KinscanError CORRUPT_RECORD */
export function decodeTieEntry(value: Buffer): IdState[] {
  const bytes = unsealValue(value);
  const states: IdState[] = [];
  let at = 0;
  const take = (length: number): number => {
    const from = at;
    at += length;
    if (at > bytes.length) throw new KinscanError('CORRUPT_RECORD', 'a stored tie entry ends too early');
    return from;
  };
  while (at < bytes.length) {
    const idBytes = bytes.readUInt16LE(take(2));
    const idFrom = take(idBytes);
    const imageId = bytes.toString('utf8', idFrom, idFrom + idBytes);
    const removedBefore = Number(bytes.readBigUInt64LE(take(8)));
    const isLive = bytes.readUInt8(take(1)) === 1;
    if (!isLive) {
      states.push({ imageId, removedBefore, live: undefined });
      continue;
    }
    const revision = Number(bytes.readBigUInt64LE(take(8)));
    const modelTag = bytes.readBigUInt64LE(take(8));
    const attributes = bytes.readUInt32LE(take(4));
    const summaryBytes = bytes.readUInt32LE(take(4));
    const codeBytes = bytes.readUInt8(take(1));
    const fineCodeBytes = bytes.readUInt8(take(1));
    const codeFrom = take(codeBytes);
    const fineFrom = take(fineCodeBytes);
    const summaryFrom = take(summaryBytes);
    const code = bytes.subarray(codeFrom, fineFrom);
    const fineCode = bytes.subarray(fineFrom, summaryFrom);
    const summary = bytes.subarray(summaryFrom, summaryFrom + summaryBytes);
    const live = { revision, modelTag, code, fineCode, attributes, summary };
    states.push({ imageId, removedBefore, live });
  }
  return states;
}
