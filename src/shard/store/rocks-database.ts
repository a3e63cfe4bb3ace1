import { mkdir, statfs } from 'node:fs/promises';
import rocksdb, { type Callback, type Database, type Iterator, type Operation } from 'rocksdb';
import { KinscanError } from '../../core/errors.js';

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

const BLOCK_BYTES = 16 * 1024;
const OPEN_FILES_MAX = 512;
/** Entries handed over at once by range(). */
const CHUNK_ENTRIES = 1_000;
const READ_AHEAD_BYTES = 256 * 1024;

/** An ordered key-value store of bytes on disk. */
export class RocksDatabase {
  readonly #database: Database;
  readonly #folder: string;
  readonly #options: RocksOptions;
  #reopening: Promise<void> = Promise.resolve();

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

  /**
   * Closes and opens again; reads wait meanwhile. Needed after a failed write: it may have left half a record in the
   * write-ahead log, and whatever is appended behind that is forgotten at the next start.
   * @throws KinscanError STORAGE_FULL without closing anything where the disk has no room; as open() does
   */
  async reopen(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize < 2 * this.#options.writeBufferBytes) throw storageFull();
    const reopening = settle<void>((done) => this.#database.close(done)).then(() => this.#open());
    // whoever reads learns of a failure by the closed database
    this.#reopening = reopening.catch(() => undefined);
    await reopening;
  }

  /** Values in the order of the keys, all of one moment; undefined where there is none. */
  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    if (keys.length === 0) return [];
    await this.#reopening;
    return settle((done) => this.#database.getMany(keys, { fillCache: true }, done));
  }

  /**
   * All or nothing, and on disk when the promise resolves.
   * @throws KinscanError STORAGE_FULL, CORRUPT_RECORD, INTERNAL
   */
  write(operations: readonly WriteOperation[]): Promise<void> {
    return settle((done) => this.#database.batch(operations, { sync: true }, done));
  }

  /** The entries of a range as they were when it was called, in chunks; the event loop runs between two chunks. */
  async *range(range: KeyRange, want: 'entries' | 'keys' = 'entries'): AsyncGenerator<DatabaseEntry[]> {
    await this.#reopening;
    const iterator = this.#database.iterator({
      gte: range.from,
      lt: range.until,
      values: want === 'entries',
      highWaterMark: READ_AHEAD_BYTES,
    });
    try {
      for (;;) {
        const chunk = await nextChunk(iterator);
        if (chunk.length > 0) yield chunk;
        if (chunk.length < CHUNK_ENTRIES) return;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      await settle<void>((done) => iterator.end(done));
    }
  }

  /** Deletes all entries of a range. */
  clear(range: KeyRange): Promise<void> {
    return settle((done) => this.#database.clear({ gte: range.from, lt: range.until }, done));
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
    } catch (thrown) {
      throw openingError(this.#folder, thrown);
    }
  }

  /** Waits for what is under way; afterwards nothing may be called. */
  close(): Promise<void> {
    return settle((done) => this.#database.close(done));
  }
}

function nextChunk(iterator: Iterator): Promise<DatabaseEntry[]> {
  return settle((done) => {
    const chunk: DatabaseEntry[] = [];
    const step = (error: Error | null | undefined, key?: Buffer, value?: Buffer): void => {
      if (error) return done(error, chunk);
      if (key === undefined) return done(null, chunk);
      chunk.push({ key, value: value ?? Buffer.alloc(0) });
      if (chunk.length === CHUNK_ENTRIES) return done(null, chunk);
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
