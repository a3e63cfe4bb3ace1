import { tieKeyOf } from '../../core/tie-key.js';
import type { KeyRange } from './rocks-database.js';

/**
 * Keys of the store. Numbers are big-endian, so that byte order is numeric order; values are sealed (sealed-value.ts).
 *
 *     settings   | 00 |                                     JSON: format, partition count
 *     position   | 01 | partition u16 |                     JSON: sequence, generation, log
 *     tie entry  | 02 | partition u16 | tie key u64 |       what is known of the ids with this tie key (tie-entry.ts)
 *     frame      | 03 | partition u16 | tie key u64 of the base id | frame id UTF-8 |    nothing
 *     record     | 04 | partition u16 | tie key u64 | image id UTF-8 |                   ImageRecord, protobuf
 *     attributes | 05 | page u32 |                                                     packed attribute sets
 *     manifest   | 06 | partition u16 |                     JSON: which blobs there are (blob-store.ts)
 *     journal    | 08 | partition u16 | number u48 |            changes of rows (row-journal.ts)
 *
 * Records lie in the canonical order of ties: (partition, tie key, image id). The tie entries hold all that search
 * needs (ids, codes, revisions, metadata) without the bulk of the records (embedding, thumbnail): a hit, whose tie key is known but whose id is not, is one exact read instead of a scan.
 * Start-up reads the rows of the index from blobs, which are files (blob-files.ts), and their journal. 07 were blobs once.
 */
const FAMILY = {
  settings: 0,
  position: 1,
  tieEntry: 2,
  frame: 3,
  record: 4,
  attributes: 5,
  manifest: 6,
  journal: 8,
} as const;

/** The families of which a partition has a range of its own. */
const PARTITION_FAMILIES = [
  FAMILY.position,
  FAMILY.tieEntry,
  FAMILY.frame,
  FAMILY.record,
  FAMILY.manifest,
  FAMILY.journal,
] as const;

const PARTITION_PREFIX_BYTES = 3;
const TIE_PREFIX_BYTES = 11;
const ATTRIBUTE_PAGE_KEY_BYTES = 5;
const JOURNAL_KEY_BYTES = 9;

export const SETTINGS_KEY = Buffer.from([FAMILY.settings]);

export function positionKey(partition: number): Buffer {
  return partitionPrefix(FAMILY.position, partition);
}

export function tieEntryKey(partition: number, tieKey: bigint): Buffer {
  return tiePrefix(FAMILY.tieEntry, partition, tieKey, 0);
}

export function frameKey(partition: number, baseId: string, frameId: string): Buffer {
  return withId(FAMILY.frame, partition, tieKeyOf(baseId), frameId);
}

export function recordKey(partition: number, tieKey: bigint, imageId: string): Buffer {
  return withId(FAMILY.record, partition, tieKey, imageId);
}

export function attributePageKey(page: number): Buffer {
  const key = Buffer.alloc(ATTRIBUTE_PAGE_KEY_BYTES);
  key.writeUInt8(FAMILY.attributes, 0);
  key.writeUInt32BE(page, 1);
  return key;
}

/** All pages of attribute sets. */
export const ATTRIBUTE_PAGE_RANGE: KeyRange = rangeOf(Buffer.from([FAMILY.attributes]));

export function pageOfAttributePageKey(key: Buffer): number {
  return key.readUInt32BE(1);
}

export function manifestKey(partition: number): Buffer {
  return partitionPrefix(FAMILY.manifest, partition);
}

/** @param number 1 to 2^48 - 1 */
export function journalKey(partition: number, number: number): Buffer {
  const key = Buffer.alloc(JOURNAL_KEY_BYTES);
  partitionPrefix(FAMILY.journal, partition).copy(key);
  key.writeUIntBE(number, PARTITION_PREFIX_BYTES, 6);
  return key;
}

/** The journal entries of a partition from a number through another. */
export function journalRange(partition: number, from: number, through: number): KeyRange {
  return { from: journalKey(partition, from), until: journalKey(partition, through + 1) };
}

export function numberOfJournalKey(key: Buffer): number {
  return key.readUIntBE(PARTITION_PREFIX_BYTES, 6);
}

/** All tie entries of a partition. */
export function tieEntryRange(partition: number): KeyRange {
  return rangeOf(partitionPrefix(FAMILY.tieEntry, partition));
}

/** Frame entries of a base id, and of any other base id with the same tie key. */
export function frameRange(partition: number, baseId: string): KeyRange {
  return rangeOf(tiePrefix(FAMILY.frame, partition, tieKeyOf(baseId), 0));
}

/** Everything that the store holds of a partition. */
export function partitionRanges(partition: number): KeyRange[] {
  return PARTITION_FAMILIES.map((family) => rangeOf(partitionPrefix(family, partition)));
}

export function tieKeyOfTieEntryKey(key: Buffer): bigint {
  return key.readBigUInt64BE(PARTITION_PREFIX_BYTES);
}

/** The id at the end of a frame or record key. */
export function idOfKey(key: Buffer): string {
  return key.toString('utf8', TIE_PREFIX_BYTES);
}

function partitionPrefix(family: number, partition: number): Buffer {
  const key = Buffer.allocUnsafe(PARTITION_PREFIX_BYTES);
  key.writeUInt8(family, 0);
  key.writeUInt16BE(partition, 1);
  return key;
}

function tiePrefix(family: number, partition: number, tieKey: bigint, spareBytes: number): Buffer {
  const key = Buffer.allocUnsafe(TIE_PREFIX_BYTES + spareBytes);
  key.writeUInt8(family, 0);
  key.writeUInt16BE(partition, 1);
  key.writeBigUInt64BE(tieKey, PARTITION_PREFIX_BYTES);
  return key;
}

function withId(family: number, partition: number, tieKey: bigint, imageId: string): Buffer {
  const key = tiePrefix(family, partition, tieKey, Buffer.byteLength(imageId, 'utf8'));
  key.write(imageId, TIE_PREFIX_BYTES, 'utf8');
  return key;
}

/** The keys that begin with a prefix: up to the prefix read as a number plus one. */
function rangeOf(prefix: Buffer): KeyRange {
  const until = Buffer.from(prefix);
  let at = until.length - 1;
  while (at >= 0 && until[at] === 0xff) until[at--] = 0;
  // the first byte is a family, far below 0xff, so there is always room
  until[at] = (until[at] as number) + 1;
  return { from: prefix, until };
}
