import { KinscanError } from '../../core/errors.js';
import { BlobFiles, type BlobFile } from './blob-files.js';
import { journalKey, journalRange, manifestKey, numberOfJournalKey } from './key-layout.js';
import type { RocksDatabase, WriteOperation } from './rocks-database.js';
import {
  BLOCK_HEAD_BYTES,
  checkRows,
  columnsIn,
  rowsInBlock,
  type RowColumns,
  type RowWidths,
} from './row-block.js';
import { unsealChanges, type JournalEntry } from './row-journal.js';
import { checksumOf, readJson, sealJson } from './sealed-value.js';

/** What the blobs of a partition hold. */
export interface BlobManifest {
  /** How often the blobs were written; 0: there are none. */
  readonly generation: number;
  /** End to end they are the file. */
  readonly blocks: readonly BlockSeal[];
  readonly rows: number;
  /** Last entry of the journal that is in the blobs; 0: none. */
  readonly journal: number;
  /** Images of other model versions when that entry was written. */
  readonly foreignCount: number;
  /** modelTagOf the model version whose rows these are, in hexadecimal. */
  readonly modelTag: string;
}

/** Which block it is and no other: an older file in the place of this one is found out. */
export interface BlockSeal {
  readonly bytes: number;
  readonly checksum: number;
}

export function sealOfBlock(sealed: Buffer): BlockSeal {
  return { bytes: sealed.length, checksum: checksumOf(sealed) };
}

/** Of a partition that has no blobs: all of its rows are in the journal. */
export function noBlobs(modelTag: string): BlobManifest {
  return { generation: 0, blocks: [], rows: 0, journal: 0, foreignCount: 0, modelTag };
}

/** Rows of which model version, and how wide. */
export interface RowKind {
  readonly modelTag: bigint;
  readonly widths: RowWidths;
}

/**
 * Says where rows `first` to below `first + count`, counted from the first of all blocks, are to be read to. Where it
 * names no place, they are read to memory of the store, which is used again for a later block.
 */
export type PlaceOf = (first: number, count: number) => RowColumns | undefined;

/** Blocks asked for before the first of them is used: reading goes on while another is checked. */
const BLOCK_READS_AHEAD = 3;
/** Entries of the journal handed over at once. */
const JOURNAL_CHUNK = 256;

/**
 * The rows of a partition, packed for start-up, beside the tie entries that they are made from:
 *
 *     manifest ─▶ file of generation 7: │ block 0 │ block 1 │ ... │   rows up to journal entry 4100, by tie key
 *     journal                           │ 4101 │ 4102 │ ... │         what each later batch changed
 *
 * The file of a generation is never changed once a manifest names it. The next one is written beside it and brought to
 * disk; one batch then puts its manifest and deletes the journal entries that it replaces; then the old file goes. So
 * the manifest always names a whole file, and a file that no manifest names is of no use to anyone.
 */
export class BlobStore {
  readonly #database: RocksDatabase;
  readonly #files: BlobFiles;

  private constructor(database: RocksDatabase, files: BlobFiles) {
    this.#database = database;
    this.#files = files;
  }

  /** Opens the blobs in a data folder, and deletes what a process that died left half done. */
  static async open(database: RocksDatabase, dataFolder: string): Promise<BlobStore> {
    const blobs = new BlobStore(database, await BlobFiles.open(dataFolder));
    const partitions = new Set(blobs.#files.list().map(({ partition }) => partition));
    for (const partition of partitions) {
      try {
        await blobs.keepOnly(partition, (await blobs.manifest(partition))?.generation ?? 0);
      } catch (error) {
        // a damaged manifest is told where the partition is loaded
        if (!(error instanceof KinscanError && error.code === 'CORRUPT_RECORD')) throw error;
      }
    }
    return blobs;
  }

  /** Bytes of the files. */
  get fileBytes(): number {
    return this.#files.byteLength;
  }

  /** undefined: no blobs were written yet. @throws KinscanError CORRUPT_RECORD */
  async manifest(partition: number): Promise<BlobManifest | undefined> {
    const [value] = await this.#database.getMany([manifestKey(partition)]);
    return value && (readJson(value) as BlobManifest);
  }

  /**
   * All blocks, in order; each is good until the next, unless it has a place of its own.
   * @throws KinscanError CORRUPT_RECORD where the file is missing or damaged, or holds another number of rows
   */
  async *blocks(
    partition: number,
    { generation, blocks, rows }: BlobManifest,
    widths: RowWidths,
    placeOf: PlaceOf = () => undefined,
  ): AsyncGenerator<RowColumns> {
    const counts = blocks.map(({ bytes }) => rowsInBlock(bytes, widths));
    if (sumOf(counts) !== rows)
      throw new KinscanError('CORRUPT_RECORD', 'the stored blobs hold more or fewer rows than they should');
    if (rows === 0) return;
    const reader = await this.#files.read({ partition, generation }, sumOf(blocks.map(({ bytes }) => bytes)));
    const buffers = new BufferRing(BLOCK_READS_AHEAD + 1);
    let [at, first] = [0, 0];
    const read = async (block: number) => {
      const { bytes, checksum } = blocks[block] as BlockSeal;
      const [count, from] = [counts[block] as number, at];
      const head = Buffer.allocUnsafe(BLOCK_HEAD_BYTES);
      const columns = placeOf(first, count) ?? columnsIn(buffers.next(bytes), count, widths);
      [at, first] = [at + bytes, first + count];
      const { tieKeys, attributes, codes, fineCodes } = columns;
      await reader.fill(from, [head, tieKeys, attributes, codes, fineCodes]);
      return { head, columns, checksum };
    };
    try {
      for await (const { head, columns, checksum } of readAhead(blocks.length, BLOCK_READS_AHEAD, read)) {
        if (checksumOf(head) !== checksum)
          throw new KinscanError('CORRUPT_RECORD', 'a stored block of rows is not the one that it should be');
        checkRows(head, columns, widths);
        yield columns;
      }
    } finally {
      await reader.close();
    }
  }

  /**
   * The journal entries after number `after`, through number `through`, in order, in chunks.
   * @returns undefined in place of an entry of another model version
   * @throws KinscanError CORRUPT_RECORD where one is missing or damaged
   */
  async *journal(
    partition: number,
    after: number,
    through: number,
    { modelTag, widths }: RowKind,
  ): AsyncGenerator<(JournalEntry | undefined)[]> {
    if (through < after) throw gap();
    let number = after;
    const range = journalRange(partition, after + 1, through);
    for await (const chunk of this.#database.range(range, 'entries', JOURNAL_CHUNK)) {
      yield chunk.map(({ key, value }) => {
        if (numberOfJournalKey(key) !== ++number) throw gap();
        return unsealChanges(value, widths, modelTag);
      });
    }
    if (number !== through) throw gap();
  }

  /** Deletes the files of a partition but that of one generation; 0: all. */
  async keepOnly(partition: number, generation: number): Promise<void> {
    const isOther = (file: BlobFile) => file.partition === partition && file.generation !== generation;
    await this.#files.remove(this.#files.list().filter(isOther));
  }

  /**
   * Writes blocks of a generation that no manifest names yet, from byte `at` of its file on.
   * @throws KinscanError STORAGE_FULL
   */
  writeBlocks(partition: number, generation: number, at: number, sealed: readonly Buffer[]): Promise<void> {
    return this.#files.write({ partition, generation }, at, sealed);
  }

  /** Makes a written generation the present one and deletes what it replaces, all or nothing, on disk. */
  async publish(partition: number, manifest: BlobManifest, replaced: BlobManifest): Promise<void> {
    const { generation, rows } = manifest;
    if (rows > 0) await this.#files.sync({ partition, generation });
    const operations: WriteOperation[] = [
      { type: 'put', key: manifestKey(partition), value: sealJson(manifest) },
    ];
    for (let number = replaced.journal + 1; number <= manifest.journal; number++) {
      operations.push({ type: 'del', key: journalKey(partition, number) });
    }
    await this.#database.write(operations);
    // a file that stays takes room, until the next generation is begun, and does no other harm
    await this.keepOnly(partition, generation).catch(() => undefined);
  }

  /** Deletes all blobs, and the journal through a number: they are damaged or of another model version. */
  async discard(partition: number, through: number): Promise<void> {
    await this.#database.write([{ type: 'del', key: manifestKey(partition) }]);
    await this.keepOnly(partition, 0);
    await this.#database.clear(journalRange(partition, 0, through));
  }
}

/** Buffers that are used again, in turn. */
class BufferRing {
  readonly #buffers: (Uint8Array | undefined)[];
  #next = 0;

  constructor(count: number) {
    this.#buffers = Array.from({ length: count });
  }

  /** At least so many bytes. */
  next(byteLength: number): Uint8Array {
    const i = this.#next++ % this.#buffers.length;
    const buffer = this.#buffers[i];
    if (buffer !== undefined && buffer.length >= byteLength) return buffer;
    return (this.#buffers[i] = new Uint8Array(byteLength));
  }
}

function gap(): KinscanError {
  return new KinscanError('CORRUPT_RECORD', 'the stored journal has a gap');
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** Results of read(0), read(1), ..., of which `ahead` are under way at once, and none any more when it ends. */
async function* readAhead<Result>(
  count: number,
  ahead: number,
  read: (i: number) => Promise<Result>,
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = [];
  let next = 0;
  const start = () => {
    if (next === count) return;
    const reading = read(next++);
    // a failure comes out where the result is awaited, which may be never
    reading.catch(() => undefined);
    underWay.push(reading);
  };
  try {
    for (let i = 0; i < ahead; i++) start();
    for (let first = underWay.shift(); first !== undefined; first = underWay.shift()) {
      const result = await first;
      start();
      yield result;
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}
