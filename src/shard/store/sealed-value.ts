import { crc32 } from 'node:zlib';
import { KinscanError } from '../../core/errors.js';

const FORMAT = 1;
/** What stands before the body. */
export const SEAL_BYTES = 5;

/**
 * Seals a value, so that damage is found when it is read (RocksDB's iterators do not check their blocks):
 *
 *     0        1               5
 *     | format | crc32(body)   | body ...        crc32 little-endian (RFC 1952, section 8)
 */
export function sealValue(...parts: readonly Uint8Array[]): Buffer {
  const sealed = Buffer.concat([Buffer.alloc(SEAL_BYTES), ...parts]);
  sealed.writeUInt8(FORMAT, 0);
  sealed.writeUInt32LE(crc32(sealed.subarray(SEAL_BYTES)), 1);
  return sealed;
}

/**
 * The body of a sealed value; a view, not a copy.
 * @throws KinscanError CORRUPT_RECORD where the bytes are not what sealValue made
 */
export function unsealValue(sealed: Buffer): Buffer {
  if (sealed.length < SEAL_BYTES || sealed.readUInt8(0) !== FORMAT) throw damaged();
  const body = sealed.subarray(SEAL_BYTES);
  if (crc32(body) !== checksumOf(sealed)) throw damaged();
  return body;
}

/** The checksum in a sealed value: what it holds, in short. */
export function checksumOf(sealed: Buffer): number {
  return sealed.readUInt32LE(1);
}

/**
 * As unsealValue, for a sealed value of which the head and the rest of the body lie in different places.
 * @param head the seal and the beginning of the body
 * @throws KinscanError CORRUPT_RECORD
 */
export function checkSealed(head: Buffer, ...rest: readonly Uint8Array[]): void {
  let sum = crc32(head.subarray(SEAL_BYTES));
  for (const part of rest) sum = crc32(part, sum);
  if (head.readUInt8(0) !== FORMAT || checksumOf(head) !== sum) throw damaged();
}

export function sealJson(value: unknown): Buffer {
  return sealValue(Buffer.from(JSON.stringify(value), 'utf8'));
}

/** @throws KinscanError CORRUPT_RECORD */
export function readJson(value: Buffer): unknown {
  return JSON.parse(unsealValue(value).toString('utf8'));
}

function damaged(): KinscanError {
  return new KinscanError('CORRUPT_RECORD', 'a stored value fails its checksum');
}
