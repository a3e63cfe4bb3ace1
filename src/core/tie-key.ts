import { createHash } from 'node:crypto';

/**
 * The tie key of an image id: the first 64 bits, big-endian, of the SHA-256 (FIPS 180-4) of the id's UTF-8 bytes.
 * It is fixed for ever: it breaks ties in the canonical order and its top bits choose the partition.
 */
export function tieKeyOf(imageId: string): bigint {
  return createHash('sha256').update(imageId, 'utf8').digest().readBigUInt64BE(0);
}

/**
 * The partition of a tie key: its top log2(partitionCount) bits.
 * @param partitionCount a power of two from 1 to 4,096
 */
export function partitionOf(tieKey: bigint, partitionCount: number): number {
  return Number(tieKey >> BigInt(64 - Math.log2(partitionCount)));
}
