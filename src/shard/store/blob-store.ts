import { KinscanError } from '../../core/errors.js';
import {
  blobBlockKey,
  blobGenerationRange,
  blobRange,
  journalKey,
  journalRangeThrough,
  manifestKey,
} from './key-layout.js';
import type { RocksDatabase, WriteOperation } from './rocks-database.js';
import { unsealRows, type RowColumns, type RowWidths } from './row-block.js';
import { unsealChanges, type JournalEntry } from './row-journal.js';
import { readJson, sealJson } from './sealed-value.js';

/** What the blobs of a partition hold. */
export interface BlobManifest {
  /** How often the blobs were written; 0: there are none. */
  readonly generation: number;
  readonly blocks: number;
  readonly rows: number;
  /** Last entry of the journal that is in the blobs; 0: none. */
  readonly journal: number;
  /** Images of other model versions when that entry was written. */
  readonly foreignCount: number;
  /** modelTagOf the model version whose rows these are, in hexadecimal. */
  readonly modelTag: string;
}

/** Of a partition that has no blobs: all of its rows are in the journal. */
export function noBlobs(modelTag: string): BlobManifest {
  return { generation: 0, blocks: 0, rows: 0, journal: 0, foreignCount: 0, modelTag };
}

/** Rows of which model version, and how wide. */
export interface RowKind {
  readonly modelTag: bigint;
  readonly widths: RowWidths;
}

/** Blocks asked for before the first of them is used: reading goes on while another is copied. */
const BLOCK_READS_AHEAD = 3;
const JOURNAL_READS_AHEAD = 2;
/** Entries of the journal read with one call. */
const JOURNAL_CHUNK = 256;

/**
 * The rows of a partition, packed for start-up, beside the tie entries that they are made from:
 *
 *     manifest ─▶ generation 7: │ block 0 │ block 1 │ ... │   rows up to journal entry 4100, ascending by tie key
 *     journal                   │ 4101 │ 4102 │ ... │         what each later batch changed
 *
 * Blocks of a generation are never changed. A new generation is written beside the present one; one batch then puts
 * its manifest and deletes what it replaces.
 */
export class BlobStore {
  readonly #database: RocksDatabase;

  constructor(database: RocksDatabase) {
    this.#database = database;
  }

  /** undefined: no blobs were written yet. @throws KinscanError CORRUPT_RECORD */
  async manifest(partition: number): Promise<BlobManifest | undefined> {
    const [value] = await this.#database.getMany([manifestKey(partition)]);
    return value && (readJson(value) as BlobManifest);
  }

  /** All blocks, in order; each is good until the next. @throws KinscanError CORRUPT_RECORD */
  async *blocks(
    partition: number,
    { generation, blocks }: BlobManifest,
    widths: RowWidths,
  ): AsyncGenerator<RowColumns> {
    const read = (block: number) =>
      this.#database.getMany([blobBlockKey(partition, generation, block)], 'pass');
    for await (const [sealed] of readAhead(blocks, BLOCK_READS_AHEAD, read)) {
      if (sealed === undefined) throw new KinscanError('CORRUPT_RECORD', 'a stored block of rows is missing');
      yield unsealRows(sealed, widths);
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
    if (through < after) throw new KinscanError('CORRUPT_RECORD', 'the stored journal ends too early');
    const read = (chunk: number) => {
      const first = after + 1 + chunk * JOURNAL_CHUNK;
      const length = Math.min(JOURNAL_CHUNK, through - first + 1);
      const keys = Array.from({ length }, (_, i) => journalKey(partition, first + i));
      return this.#database.getMany(keys, 'pass');
    };
    const chunks = Math.ceil((through - after) / JOURNAL_CHUNK);
    for await (const values of readAhead(chunks, JOURNAL_READS_AHEAD, read)) {
      yield values.map((sealed) => {
        if (sealed === undefined) throw new KinscanError('CORRUPT_RECORD', 'the stored journal has a gap');
        return unsealChanges(sealed, widths, modelTag);
      });
    }
  }

  /** Forgets what an earlier attempt at this generation left behind. */
  clearGeneration(partition: number, generation: number): Promise<void> {
    return this.#database.clear(blobGenerationRange(partition, generation));
  }

  /** Writes blocks of a generation that no manifest names yet; they are on disk once the manifest is. */
  writeBlocks(
    partition: number,
    generation: number,
    first: number,
    sealed: readonly Buffer[],
  ): Promise<void> {
    const operations = sealed.map((value, i): WriteOperation => ({
      type: 'put',
      key: blobBlockKey(partition, generation, first + i),
      value,
    }));
    return this.#database.write(operations, 'later');
  }

  /** Makes a written generation the present one and deletes what it replaces, all or nothing, on disk. */
  publish(partition: number, manifest: BlobManifest, replaced: BlobManifest): Promise<void> {
    const operations: WriteOperation[] = [
      { type: 'put', key: manifestKey(partition), value: sealJson(manifest) },
    ];
    for (let block = 0; block < replaced.blocks; block++) {
      operations.push({ type: 'del', key: blobBlockKey(partition, replaced.generation, block) });
    }
    for (let number = replaced.journal + 1; number <= manifest.journal; number++) {
      operations.push({ type: 'del', key: journalKey(partition, number) });
    }
    return this.#database.write(operations);
  }

  /** Deletes all blobs, and the journal through a number: they are damaged or of another model version. */
  async discard(partition: number, through: number): Promise<void> {
    await this.#database.write([{ type: 'del', key: manifestKey(partition) }]);
    await this.#database.clear(blobRange(partition));
    await this.#database.clear(journalRangeThrough(partition, through));
  }
}

/** Results of read(0), read(1), ..., of which `ahead` are under way at once. */
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
  for (let i = 0; i < ahead; i++) start();
  for (let first = underWay.shift(); first !== undefined; first = underWay.shift()) {
    const result = await first;
    start();
    yield result;
  }
}
