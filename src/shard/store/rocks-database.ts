import { mkdir, statfs } from 'node:fs/promises';
import rocksdb, { type Callback, type Database, type Iterator, type Operation } from 'rocksdb';
import { KinscanError } from '../../core/errors.js';
import { TurnBatch } from '../../runtime/turn-batch.js';
import { Mutex } from '../mutex.js';

// The only file that imports rocksdb. RocksDB belongs to the main thread: a second opener fails, in another thread too.

export type WriteOperation = Operation;

/** Keys from `from` (inclusive) to `until` (exclusive), in byte order. */
export interface KeyRange {
  readonly from: Buffer;
  readonly until: Buffer;
}

export interface DatabaseEntry {
  readonly key: Buffer;
  /** Empty where only keys were asked for. */
  readonly value: Buffer;
}

export interface RocksOptions {
  /** Blocks kept in memory. */
  readonly cacheBytes: number;
  /** One memtable; two at most exist at once. */
  readonly writeBufferBytes: number;
}

/** Reads are of single small values, all over: a larger block would be read, checked and unpacked for each. */
const BLOCK_BYTES = 4 * 1024;
const OPEN_FILES_MAX = 512;
/** Entries handed over at once by range(), unless others are asked for. */
const CHUNK_ENTRIES = 1_000;
const READ_AHEAD_BYTES = 256 * 1024;
/** Reads of up to so many keys go to RocksDB's threads together with the others of their turn: each trip costs as much as some reads. */
const JOINED_KEYS_MAX = 64;
const READS_JOINED_MAX = 64;

interface SmallRead {
  readonly keys: readonly Buffer[];
  readonly resolve: (values: (Buffer | undefined)[]) => void;
  readonly reject: (error: Error) => void;
}

/** What RocksDB holds, in bytes, as it counts itself. */
export interface RocksUsage {
  /** Blocks read, writes not yet sorted to disk, indexes and filters of open files. */
  readonly memoryBytes: number;
  /** Sorted files that are current, without the write-ahead log. */
  readonly fileBytes: number;
}

const MEMORY_PROPERTIES = [
  'rocksdb.block-cache-usage',
  'rocksdb.cur-size-all-mem-tables',
  'rocksdb.estimate-table-readers-mem',
];
const FILES_PROPERTY = 'rocksdb.live-sst-files-size';

/**
 * An ordered key-value store of bytes on disk.
 *
 * Writes go one after the other. A failed write may have left half a record in the write-ahead log, and whatever is
 * appended behind that is forgotten at the next start: after a failed write every other write is refused until reopen().
 */
export class RocksDatabase {
  readonly #database: Database;
  readonly #folder: string;
  readonly #options: RocksOptions;
  readonly #writing = new Mutex();
  readonly #reads = new TurnBatch<SmallRead>(READS_JOINED_MAX, (reads) => this.#getTogether(reads));
  #reopening: Promise<void> = Promise.resolve();
  #failedWrite: { readonly error: unknown } | undefined;
  #isOpen = false;

  private constructor(folder: string, options: RocksOptions) {
    this.#database = rocksdb(folder);
    this.#folder = folder;
    this.#options = options;
  }

  /**
   * Opens the database in `folder`, creating both where they are missing.
   * @throws KinscanError STORE_UNAVAILABLE (held by another process, unreadable), CORRUPT_RECORD, STORAGE_FULL
   */
  static async open(folder: string, options: RocksOptions): Promise<RocksDatabase> {
    const database = new RocksDatabase(folder, options);
    await database.#open();
    return database;
  }

  /** Whether a write has failed: no other is taken until reopen(). */
  get needsReopen(): boolean {
    return this.#failedWrite !== undefined;
  }

  /**
   * Closes and opens again; reads and writes wait meanwhile. Needed after a failed write.
   * @throws KinscanError STORAGE_FULL without closing anything where the disk has no room; as open() does
   */
  reopen(): Promise<void> {
    return this.#writing.run(async () => {
      const { bavail, bsize } = await statfs(this.#folder);
      if (bavail * bsize < 2 * this.#options.writeBufferBytes) throw storageFull();
      this.#isOpen = false;
      const reopening = settle<void>((done) => this.#database.close(done)).then(() => this.#open());
      // whoever reads learns of a failure by the closed database
      this.#reopening = reopening.catch(() => undefined);
      await reopening;
      this.#failedWrite = undefined;
    });
  }

  /**
   * Values in the order of the keys, all of one moment; undefined where there is none.
   * @param cache whether the blocks read are kept in memory
   */
  async getMany(keys: readonly Buffer[], cache: 'keep' | 'pass' = 'keep'): Promise<(Buffer | undefined)[]> {
    if (keys.length === 0) return [];
    if (cache === 'keep' && keys.length <= JOINED_KEYS_MAX) {
      return new Promise((resolve, reject) => this.#reads.add({ keys, resolve, reject }));
    }
    return this.#get(keys, cache);
  }

  async #get(keys: readonly Buffer[], cache: 'keep' | 'pass'): Promise<(Buffer | undefined)[]> {
    await this.#reopening;
    return settle((done) => this.#database.getMany(keys, { fillCache: cache === 'keep' }, done));
  }

  #getTogether(reads: readonly SmallRead[]): void {
    this.#get(
      reads.flatMap(({ keys }) => keys),
      'keep',
    ).then(
      (values) => {
        let at = 0;
        for (const { keys, resolve } of reads) resolve(values.slice(at, (at += keys.length)));
      },
      // getMany fails as a whole: a damaged block is told to those alone who want it
      (error: unknown) => {
        if (reads.length === 1) reads[0]?.reject(error as Error);
        else for (const read of reads) this.#getTogether([read]);
      },
    );
  }

  /**
   * All or nothing.
   * @param when 'now': it is on disk when the promise resolves; 'later': it survives the end of the process at once, and
   *   that of the machine with the next write that is on disk
   * @throws KinscanError STORAGE_FULL, CORRUPT_RECORD, INTERNAL
   */
  write(operations: readonly WriteOperation[], when: 'now' | 'later' = 'now'): Promise<void> {
    return this.#exclusiveWrite((done) => this.#database.batch(operations, { sync: when === 'now' }, done));
  }

  /** The entries of a range as they were when it was called, in chunks; the event loop runs between two chunks. */
  async *range(
    range: KeyRange,
    want: 'entries' | 'keys' = 'entries',
    chunkEntries = CHUNK_ENTRIES,
  ): AsyncGenerator<DatabaseEntry[]> {
    await this.#reopening;
    const iterator = this.#database.iterator({
      gte: range.from,
      lt: range.until,
      values: want === 'entries',
      highWaterMark: READ_AHEAD_BYTES,
    });
    try {
      for (;;) {
        const chunk = await nextChunk(iterator, chunkEntries);
        if (chunk.length > 0) yield chunk;
        if (chunk.length < chunkEntries) return;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      await settle<void>((done) => iterator.end(done));
    }
  }

  /** The last key of a range; undefined where it is empty. */
  async lastKey({ from, until }: KeyRange): Promise<Buffer | undefined> {
    await this.#reopening;
    const options = { gte: from, lt: until, values: false, highWaterMark: 1, reverse: true };
    const iterator = this.#database.iterator(options);
    try {
      return (await nextChunk(iterator, 1))[0]?.key;
    } finally {
      await settle<void>((done) => iterator.end(done));
    }
  }

  /** Deletes all entries of a range. */
  clear(range: KeyRange): Promise<void> {
    return this.#exclusiveWrite((done) => this.#database.clear({ gte: range.from, lt: range.until }, done));
  }

  usage(): RocksUsage {
    if (!this.#isOpen) return { memoryBytes: 0, fileBytes: 0 };
    const bytesOf = (property: string) => Number(this.#database.getProperty(property)) || 0;
    return {
      memoryBytes: MEMORY_PROPERTIES.reduce((sum, property) => sum + bytesOf(property), 0),
      fileBytes: bytesOf(FILES_PROPERTY),
    };
  }

  #exclusiveWrite(start: (done: Callback) => void): Promise<void> {
    return this.#writing.run(async () => {
      if (this.#failedWrite !== undefined) throw this.#failedWrite.error;
      try {
        await settle(start);
      } catch (error) {
        this.#failedWrite = { error };
        throw error;
      }
    });
  }

  async #open(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      await settle<void>((done) =>
        this.#database.open(
          {
            createIfMissing: true,
            compression: true,
            cacheSize: this.#options.cacheBytes,
            writeBufferSize: this.#options.writeBufferBytes,
            blockSize: BLOCK_BYTES,
            maxOpenFiles: OPEN_FILES_MAX,
          },
          done,
        ),
      );
      this.#isOpen = true;
    } catch (thrown) {
      throw openingError(this.#folder, thrown);
    }
  }

  /** Waits for what is under way; afterwards nothing may be called. */
  close(): Promise<void> {
    this.#reads.flush();
    return this.#writing.run(() => {
      this.#isOpen = false;
      return settle((done) => this.#database.close(done));
    });
  }
}

function nextChunk(iterator: Iterator, entries: number): Promise<DatabaseEntry[]> {
  return settle((done) => {
    const chunk: DatabaseEntry[] = [];
    const step = (error: Error | null | undefined, key?: Buffer, value?: Buffer): void => {
      if (error) return done(error, chunk);
      if (key === undefined) return done(null, chunk);
      chunk.push({ key, value: value ?? Buffer.alloc(0) });
      if (chunk.length === entries) return done(null, chunk);
      iterator.next(step);
    };
    iterator.next(step);
  });
}

function settle<Result>(start: (done: Callback<Result>) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error) reject(storageError(error));
      else resolve(result);
    });
  });
}

/** RocksDB tells kinds of failure apart in its text only. */
function storageError(error: Error): KinscanError {
  if (/no space left/i.test(error.message)) {
    return storageFull(error);
  }
  if (/corruption|checksum/i.test(error.message)) {
    return new KinscanError('CORRUPT_RECORD', 'the store is damaged', { cause: error });
  }
  return new KinscanError('INTERNAL', 'the store failed', { cause: error });
}

function storageFull(cause?: unknown): KinscanError {
  return new KinscanError('STORAGE_FULL', 'the disk of the data folder is full', { cause });
}

function openingError(folder: string, thrown: unknown): KinscanError {
  const error = thrown instanceof KinscanError ? thrown : storageError(thrown as Error);
  const cause = error.cause instanceof Error ? error.cause : error;
  if (error.code !== 'INTERNAL') {
    return new KinscanError(error.code, `cannot open the store in ${folder}: ${cause.message}`, { cause });
  }
  const why = /lock/i.test(cause.message) ? 'another process has it open' : cause.message;
  return new KinscanError('STORE_UNAVAILABLE', `cannot open the store in ${folder}: ${why}`, { cause });
}
