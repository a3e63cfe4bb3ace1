import { KinscanError } from './errors.js';

/** Search results as a struct of arrays, in canonical order: (distance, fineDistance, tieKey, imageId). */
export interface HitList {
  readonly count: number;
  /** Differing bits, shape [count]. */
  readonly distances: Uint16Array;
  /** Differing bits of the fine codes, shape [count]; 0 where the ranking does not use them. */
  readonly fineDistances: Uint16Array;
  /** Shape [count]; see tie-key.ts. */
  readonly tieKeys: BigUint64Array;
  /** Shape [count]. */
  readonly imageIds: readonly string[];
  /**
   * Only in the answer of a grouped search: GROUP_KEY_BYTES of each hit's group, end to end; zeros where the hit is a
   * group of its own. No two hits have the same key but zeros.
   */
  readonly groupKeys?: Uint8Array;
}

/** Bytes that stand for a group: the value's hash (shard/attributes/attribute-set.ts). */
export const GROUP_KEY_BYTES = 16;

export const EMPTY_HIT_LIST: HitList = {
  count: 0,
  distances: new Uint16Array(0),
  fineDistances: new Uint16Array(0),
  tieKeys: new BigUint64Array(0),
  imageIds: [],
};

const HEADER_BYTES = 8;
const PLAIN_FORMAT = 1;
const GROUPED_FORMAT = 2;

/**
 * Packs a hit list for the wire, little-endian:
 *
 *     0        4        8
 *     | format | count  | tieKeys u64[count] | distances u16[count] | fineDistances u16[count] | idBytes u16[count] | ids UTF-8 ...
 *
 * format is 1; or 2, and then groupKeys u8[count][16] stand between idBytes and the ids.
 */
export function packHitList(hits: HitList): Uint8Array {
  const ids = hits.imageIds.map((id) => Buffer.from(id, 'utf8'));
  const idBytes = ids.reduce((sum, id) => sum + id.length, 0);
  const isGrouped = hits.groupKeys !== undefined;
  const at = columnOffsets(hits.count, isGrouped);
  const packed = Buffer.alloc(at.ids + idBytes);
  packed.writeUInt32LE(isGrouped ? GROUPED_FORMAT : PLAIN_FORMAT, 0);
  packed.writeUInt32LE(hits.count, 4);
  if (hits.groupKeys !== undefined) packed.set(hits.groupKeys, at.groupKeys);
  let idAt = at.ids;
  for (let i = 0; i < hits.count; i++) {
    const id = ids[i] as Buffer;
    packed.writeBigUInt64LE(hits.tieKeys[i] as bigint, at.tieKeys + 8 * i);
    packed.writeUInt16LE(hits.distances[i] as number, at.distances + 2 * i);
    packed.writeUInt16LE(hits.fineDistances[i] as number, at.fineDistances + 2 * i);
    packed.writeUInt16LE(id.length, at.idBytes + 2 * i);
    idAt += id.copy(packed, idAt);
  }
  return packed;
}

/** @throws KinscanError INTERNAL where the bytes are not a packed hit list */
export function unpackHitList(bytes: Uint8Array): HitList {
  const packed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (packed.length < HEADER_BYTES) throw malformed();
  const format = packed.readUInt32LE(0);
  if (format !== PLAIN_FORMAT && format !== GROUPED_FORMAT) throw malformed();
  const count = packed.readUInt32LE(4);
  const at = columnOffsets(count, format === GROUPED_FORMAT);
  if (packed.length < at.ids) throw malformed();
  const hits = {
    count,
    distances: new Uint16Array(count),
    fineDistances: new Uint16Array(count),
    tieKeys: new BigUint64Array(count),
    imageIds: new Array<string>(count),
    ...(format === GROUPED_FORMAT && { groupKeys: new Uint8Array(packed.subarray(at.groupKeys, at.ids)) }),
  };
  let idAt = at.ids;
  for (let i = 0; i < count; i++) {
    hits.tieKeys[i] = packed.readBigUInt64LE(at.tieKeys + 8 * i);
    hits.distances[i] = packed.readUInt16LE(at.distances + 2 * i);
    hits.fineDistances[i] = packed.readUInt16LE(at.fineDistances + 2 * i);
    const idEnd = idAt + packed.readUInt16LE(at.idBytes + 2 * i);
    hits.imageIds[i] = packed.toString('utf8', idAt, idEnd);
    idAt = idEnd;
  }
  if (idAt !== packed.length) throw malformed();
  return hits;
}

function columnOffsets(count: number, isGrouped: boolean) {
  const tieKeys = HEADER_BYTES;
  const distances = tieKeys + 8 * count;
  const fineDistances = distances + 2 * count;
  const idBytes = fineDistances + 2 * count;
  const groupKeys = idBytes + 2 * count;
  const ids = groupKeys + (isGrouped ? GROUP_KEY_BYTES * count : 0);
  return { tieKeys, distances, fineDistances, idBytes, groupKeys, ids };
}

function malformed(): KinscanError {
  return new KinscanError('INTERNAL', 'malformed hit list');
}
