import { KinscanError } from '../../core/errors.js';
import type { AttributePage } from './attribute-pages.js';
import {
  ATTRIBUTE_PAGE_RANGE,
  attributePageKey,
  frameKey,
  frameRange,
  idOfKey,
  journalKey,
  pageOfAttributePageKey,
  partitionRanges,
  positionKey,
  recordKey,
  SETTINGS_KEY,
  tieEntryKey,
  tieEntryRange,
  tieKeyOfTieEntryKey,
} from './key-layout.js';
import { baseImageId } from '../../core/image-id.js';
import { BlobStore } from './blob-store.js';
import { RocksDatabase, type RocksOptions, type RocksUsage, type WriteOperation } from './rocks-database.js';
import type { RowWidths } from './row-block.js';
import { sealChanges, type RowChanges } from './row-journal.js';
import { readJson, sealJson, sealValue, unsealValue } from './sealed-value.js';
import { decodeTieEntry, encodeTieEntry, type IdState } from './tie-entry.js';

/** How far a partition has followed the CODES log. */
export interface LogPosition {
  /** Last entry of the log that was applied; 0: none. */
  readonly sequence: number;
  /** How often the log was lost and begun anew. */
  readonly generation: number;
  /** Which log: the creation time of its stream as NATS tells it; empty before the first. */
  readonly log: string;
}

export const POSITION_START: StoredPosition = { sequence: 0, generation: 0, log: '', journal: 0 };

/** As it is stored of a partition. */
export interface StoredPosition extends LogPosition {
  /** Number of the last entry in the partition's journal of rows; 0: none. */
  readonly journal: number;
}

/** Where an image lies. */
export interface TieKeyRef {
  readonly partition: number;
  readonly tieKey: bigint;
}

export interface ImageRef extends TieKeyRef {
  readonly imageId: string;
}

/** What one batch of log entries makes of the store; written all or nothing. */
export interface StoreChange {
  /** The whole new content of each tie entry that changed; no states: the entry goes. */
  readonly tieEntries: readonly (TieKeyRef & { readonly states: readonly IdState[] })[];
  /** Records that are new, as protobuf bytes; undefined: the record goes. */
  readonly records: readonly (ImageRef & { readonly record: Uint8Array | undefined })[];
  readonly positions: readonly { readonly partition: number; readonly position: StoredPosition }[];
  /** What the batch changes in the rows of a partition, under the next number of its journal. */
  readonly journal: readonly {
    readonly partition: number;
    readonly number: number;
    readonly changes: RowChanges;
    readonly widths: RowWidths;
  }[];
  /** Pages with attribute sets that are new. */
  readonly attributePages: readonly AttributePage[];
}

export const NO_CHANGE: StoreChange = {
  tieEntries: [],
  records: [],
  positions: [],
  journal: [],
  attributePages: [],
};

/** The live and the removed ids of a partition that share a tie key. */
export interface StoredTieEntry {
  readonly tieKey: bigint;
  readonly states: readonly IdState[];
}

interface StoreSettings {
  readonly format: number;
  readonly partitionCount: number;
}

/** 2: attribute sets, blobs of rows. 3: summaries in tie entries. 4: blobs are files. */
const STORE_FORMAT = 4;
/** Reads of one getMany; more are split, so that the event loop runs in between. */
const READ_CHUNK = 2_000;

/** The durable state of a shard server's partitions in RocksDB and files of blobs (docs/storage.md). */
export class RecordStore {
  /** The rows of the index, packed. */
  readonly blobs: BlobStore;
  readonly partitionCount: number;
  readonly #database: RocksDatabase;

  private constructor(database: RocksDatabase, blobs: BlobStore, partitionCount: number) {
    this.#database = database;
    this.blobs = blobs;
    this.partitionCount = partitionCount;
  }

  /**
   * @throws KinscanError STORE_UNAVAILABLE (in use, or of a collection with another partition count or format),
   *   CORRUPT_RECORD, STORAGE_FULL
   */
  static async open(folder: string, partitionCount: number, options: RocksOptions): Promise<RecordStore> {
    const database = await RocksDatabase.open(folder, options);
    try {
      await checkSettings(database, { format: STORE_FORMAT, partitionCount }, folder);
      return new RecordStore(database, await BlobStore.open(database, folder), partitionCount);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** Positions in the order of the partitions; POSITION_START for one that is new. */
  async positions(partitions: readonly number[]): Promise<StoredPosition[]> {
    const values = await this.#database.getMany(partitions.map(positionKey));
    return values.map((value) =>
      value === undefined ? POSITION_START : (readJson(value) as StoredPosition),
    );
  }

  /** The states of each tie key asked for, in that order. @throws KinscanError CORRUPT_RECORD */
  async readTieEntries(refs: readonly TieKeyRef[]): Promise<IdState[][]> {
    const values = await this.#readMany(refs.map(({ partition, tieKey }) => tieEntryKey(partition, tieKey)));
    return values.map((value) => (value === undefined ? [] : decodeTieEntry(value)));
  }

  /** Protobuf bytes in the order asked; undefined for what is not stored. @throws KinscanError CORRUPT_RECORD */
  async readRecords(refs: readonly ImageRef[]): Promise<(Buffer | undefined)[]> {
    const keys = refs.map(({ partition, tieKey, imageId }) => recordKey(partition, tieKey, imageId));
    const values = await this.#readMany(keys);
    return values.map((value) => (value === undefined ? undefined : unsealValue(value)));
  }

  /** Ids of the stored frames of a multi-frame instance that lie in this partition. */
  async frameIds(partition: number, baseId: string): Promise<string[]> {
    const ids: string[] = [];
    for await (const chunk of this.#database.range(frameRange(partition, baseId), 'keys')) {
      for (const { key } of chunk) ids.push(idOfKey(key));
    }
    return ids.filter((id) => baseImageId(id) === baseId);
  }

  /** All tie entries of a partition, tie keys ascending, in chunks. @throws KinscanError CORRUPT_RECORD */
  async *tieEntries(partition: number): AsyncGenerator<StoredTieEntry[]> {
    for await (const chunk of this.#database.range(tieEntryRange(partition))) {
      yield chunk.map(({ key, value }) => ({
        tieKey: tieKeyOfTieEntryKey(key),
        states: decodeTieEntry(value),
      }));
    }
  }

  /** How many pages of attribute sets there are. */
  async attributePageCount(): Promise<number> {
    const last = await this.#database.lastKey(ATTRIBUTE_PAGE_RANGE);
    return last === undefined ? 0 : pageOfAttributePageKey(last) + 1;
  }

  /** All pages of attribute sets, in order. @throws KinscanError CORRUPT_RECORD */
  async *attributePages(): AsyncGenerator<AttributePage> {
    for await (const chunk of this.#database.range(ATTRIBUTE_PAGE_RANGE)) {
      for (const { key, value } of chunk)
        yield { page: pageOfAttributePageKey(key), sets: unsealValue(value) };
    }
  }

  /**
   * Writes a change, all or nothing.
   * @param when 'now': it is on disk when the promise resolves; 'later': with the next write that is
   * @throws KinscanError STORAGE_FULL
   */
  commit(change: StoreChange, when: 'now' | 'later' = 'now'): Promise<void> {
    const operations: WriteOperation[] = [];
    for (const { partition, tieKey, states } of change.tieEntries) {
      const key = tieEntryKey(partition, tieKey);
      if (states.length === 0) operations.push({ type: 'del', key });
      else operations.push({ type: 'put', key, value: encodeTieEntry(states) });
    }
    for (const { partition, tieKey, imageId, record } of change.records) {
      const baseId = baseImageId(imageId);
      const keys = [recordKey(partition, tieKey, imageId)];
      const values = record === undefined ? [] : [sealValue(record)];
      if (baseId !== imageId) {
        keys.push(frameKey(partition, baseId, imageId));
        if (record !== undefined) values.push(sealValue());
      }
      keys.forEach((key, i) => {
        const value = values[i];
        operations.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value });
      });
    }
    for (const { partition, position } of change.positions) {
      operations.push({ type: 'put', key: positionKey(partition), value: sealJson(position) });
    }
    for (const { partition, number, changes, widths } of change.journal) {
      const value = sealChanges(changes, widths);
      operations.push({ type: 'put', key: journalKey(partition, number), value });
    }
    for (const { page, sets } of change.attributePages) {
      operations.push({ type: 'put', key: attributePageKey(page), value: sealValue(sets) });
    }
    return this.#database.write(operations, when);
  }

  /** Whether a write has failed: reopen() comes before the next. */
  get needsReopen(): boolean {
    return this.#database.needsReopen;
  }

  /** The files of blobs are among its files. */
  usage(): RocksUsage {
    const { memoryBytes, fileBytes } = this.#database.usage();
    return { memoryBytes, fileBytes: fileBytes + this.blobs.fileBytes };
  }

  /** Needed after a failed write, before the next one. @throws KinscanError STORAGE_FULL, STORE_UNAVAILABLE */
  reopen(): Promise<void> {
    return this.#database.reopen();
  }

  /** Deletes all that is stored of a partition. */
  async clear(partition: number): Promise<void> {
    for (const range of partitionRanges(partition)) await this.#database.clear(range);
    await this.blobs.keepOnly(partition, 0);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #readMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    if (keys.length <= READ_CHUNK) return this.#database.getMany(keys);
    const values: (Buffer | undefined)[] = [];
    for (let from = 0; from < keys.length; from += READ_CHUNK) {
      values.push(...(await this.#database.getMany(keys.slice(from, from + READ_CHUNK))));
    }
    return values;
  }
}

async function checkSettings(database: RocksDatabase, wanted: StoreSettings, folder: string): Promise<void> {
  const [value] = await database.getMany([SETTINGS_KEY]);
  if (value === undefined) {
    return database.write([{ type: 'put', key: SETTINGS_KEY, value: sealJson(wanted) }]);
  }
  const stored = readJson(value) as StoreSettings;
  if (stored.format !== wanted.format) {
    throw new KinscanError(
      'STORE_UNAVAILABLE',
      `the store in ${folder} has format ${stored.format}, and this version reads format ${wanted.format}: ` +
        'delete the folder (but for shard-id), and the shard server reads the whole log again',
    );
  }
  if (stored.partitionCount !== wanted.partitionCount) {
    throw new KinscanError(
      'STORE_UNAVAILABLE',
      `the store in ${folder} has ${stored.partitionCount} partitions; needed are ${wanted.partitionCount}`,
    );
  }
}
