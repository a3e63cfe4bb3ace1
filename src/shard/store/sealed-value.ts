import { crc32 } from 'node:zlib';
import { KinscanError } from '../../core/errors.js';

const FORMAT = 1;
const HEADER_BYTES = 5;

/**
 * Seals a value, so that damage is found when it is read (RocksDB's iterators do not check their blocks):
 *
 *     0        1               5
 *     | format | crc32(body)   | body ...        crc32 little-endian (RFC 1952, section 8)
 */
export function sealValue(...parts: readonly Uint8Array[]): Buffer {
  const sealed = Buffer.concat([Buffer.alloc(HEADER_BYTES), ...parts]);
  sealed.writeUInt8(FORMAT, 0);
  sealed.writeUInt32LE(crc32(sealed.subarray(HEADER_BYTES)), 1);
  return sealed;
}

/**
 * The body of a sealed value; a view, not a copy.
 * @throws KinscanError CORRUPT_RECORD where the bytes are not what sealValue made
 */
export function unsealValue(sealed: Buffer): Buffer {
  if (sealed.length < HEADER_BYTES || sealed.readUInt8(0) !== FORMAT) throw damaged();
  const body = sealed.subarray(HEADER_BYTES);
  if (crc32(body) !== sealed.readUInt32LE(1)) throw damaged();
  return body;
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
