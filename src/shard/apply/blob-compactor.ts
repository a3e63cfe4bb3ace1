import { KinscanError } from '../../core/errors.js';
import { Mutex } from '../mutex.js';
import { BlockCutter } from '../store/block-cutter.js';
import { sealOfBlock, type BlobManifest, type BlockSeal, type RowKind } from '../store/blob-store.js';
import { RowMerger } from '../store/merge-rows.js';
import type { RecordStore } from '../store/record-store.js';
import { tieEntryRows, type PartitionBlobs } from './partition-loader.js';

/** What becomes of blobs, for logs and metrics. */
export interface BlobEvents {
  /** Blobs, their manifest or their journal are damaged: they are written again from the tie entries. */
  readonly onDamaged: (partition: number, error: KinscanError) => void;
  /** The rows of a partition were read. */
  readonly onLoaded: (partition: number, from: 'blobs' | 'tieEntries') => void;
  readonly onCompacted: (partition: number, manifest: BlobManifest) => void;
  /** Tried again later. */
  readonly onFailed: (partition: number, error: unknown) => void;
}

export interface BlobCompactorOptions {
  readonly store: RecordStore;
  readonly kind: RowKind;
  readonly events: BlobEvents;
  /** Runs a task while no batch is being written. */
  readonly exclusively: <Result>(task: () => Promise<Result>) => Promise<Result>;
  readonly limits: JournalLimits;
}

/** When the journal of a partition goes into its blobs. */
export interface JournalLimits {
  readonly entriesMax: number;
  /** Rows: so many, or this share of the blobs' rows where that is more. */
  readonly rowsMin: number;
  readonly rowsShare: number;
}

export const JOURNAL_LIMITS: JournalLimits = { entriesMax: 4_096, rowsMin: 16_384, rowsShare: 1 / 16 };

/** Journal entries until a compaction that failed is tried again. */
const RETRY_ENTRIES = 1_024;

/** Thrown inside a compaction that must make way. */
class Interrupted extends Error {}

/**
 * Writes the blobs of partitions anew, one partition at a time, while batches go on being applied:
 *
 *     blobs ─┐
 *            ├─▶ merge, a block at a time ─▶ file of the next generation ─▶ manifest ─▶ the old file goes
 *     journal┘
 *
 * It holds the changes since the last time and six blocks in memory, and the event loop for one block at most. Where the
 * blobs are damaged, or are of another model version, the rows come from the tie entries instead. Whenever it ends, by a
 * crash or a full disk, the blobs in use are untouched.
 */
export class BlobCompactor {
  readonly #options: BlobCompactorOptions;
  readonly #turn = new Mutex();
  readonly #due = new Map<number, PartitionBlobs>();
  readonly #failedAt = new WeakMap<PartitionBlobs, number>();
  #working: Promise<void> | undefined;
  #waiting = 0;
  #closed = false;

  constructor(options: BlobCompactorOptions) {
    this.#options = options;
  }

  /** Runs a task on blobs, such as reading them, while none are being written; a compaction under way makes way. */
  async withoutCompaction<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#waiting++;
    try {
      return await this.#turn.run(task);
    } finally {
      this.#waiting--;
    }
  }

  /** Compacts a partition, soon, where its journal is long or its blobs are missing. */
  consider(partition: number, blobs: PartitionBlobs): void {
    if (this.#closed || !this.#isDue(blobs)) return;
    this.#due.set(partition, blobs);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  /** Resolves once nothing is due. */
  async settled(): Promise<void> {
    await this.#working;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
  }

  #isDue(blobs: PartitionBlobs): boolean {
    const failedAt = this.#failedAt.get(blobs);
    if (failedAt !== undefined && blobs.journal - failedAt < RETRY_ENTRIES) return false;
    const { manifest, journal, journalRows } = blobs;
    if (manifest === undefined) return true;
    const { entriesMax, rowsMin, rowsShare } = this.#options.limits;
    return (
      journal - manifest.journal > entriesMax || journalRows > Math.max(rowsMin, manifest.rows * rowsShare)
    );
  }

  async #work(): Promise<void> {
    // a map's iteration meets what is added meanwhile
    for (const [partition, blobs] of this.#due) {
      this.#due.delete(partition);
      await this.#turn.run(() => this.#compact(partition, blobs));
      if (this.#closed) return;
    }
  }

  async #compact(partition: number, blobs: PartitionBlobs): Promise<void> {
    const { onCompacted, onDamaged, onFailed } = this.#options.events;
    try {
      await this.#yieldOrStop();
      const manifest = blobs.manifest
        ? await this.#merge(partition, blobs, blobs.manifest)
        : await this.#rebuild(partition, blobs);
      onCompacted(partition, manifest);
    } catch (error) {
      if (error instanceof Interrupted) {
        this.#due.set(partition, blobs);
      } else if (blobs.manifest && error instanceof KinscanError && error.code === 'CORRUPT_RECORD') {
        blobs.manifest = undefined;
        onDamaged(partition, error);
        this.#due.set(partition, blobs);
      } else {
        this.#failedAt.set(blobs, blobs.journal);
        onFailed(partition, error);
      }
    }
  }

  /** The next generation from the present one and the journal. */
  async #merge(partition: number, blobs: PartitionBlobs, old: BlobManifest): Promise<BlobManifest> {
    const { store, kind } = this.#options;
    const { journal, journalRows } = blobs;
    const merger = new RowMerger(kind.widths);
    let { foreignCount } = old;
    for await (const entries of store.blobs.journal(partition, old.journal, journal, kind)) {
      for (const entry of entries) {
        if (entry === undefined)
          throw new KinscanError('CORRUPT_RECORD', 'the stored journal is not its own');
        merger.addChanges(entry);
        foreignCount += entry.foreignCountChange;
      }
      await this.#yieldOrStop();
    }
    const writer = new GenerationWriter(store, partition, old.generation, kind);
    const written = await writer.write(async () => {
      for await (const block of store.blobs.blocks(partition, old, kind.widths)) {
        merger.merge(block, writer.cutter);
        await writer.flush();
        await this.#yieldOrStop();
      }
      merger.finish(writer.cutter);
    });
    const manifest = { ...written, journal, foreignCount };
    await store.blobs.publish(partition, manifest, old);
    blobs.manifest = manifest;
    blobs.journalRows -= journalRows;
    return manifest;
  }

  /** The first generation, from the tie entries as they are after the present batch. */
  async #rebuild(partition: number, blobs: PartitionBlobs): Promise<BlobManifest> {
    const { store, kind, exclusively } = this.#options;
    const stream = tieEntryRows(store, partition, kind);
    try {
      const { first, journal, journalRows } = await exclusively(async () => {
        const { journal, journalRows } = blobs;
        return { first: await stream.next(), journal, journalRows };
      });
      await store.blobs.discard(partition, journal);
      const writer = new GenerationWriter(store, partition, 0, kind);
      let foreignCount = 0;
      const written = await writer.write(async () => {
        for (let next = first; next.done !== true; next = await stream.next()) {
          const { rows } = next.value;
          foreignCount += next.value.foreignCount;
          writer.cutter.append(rows, 0, rows.count);
          await writer.flush();
          await this.#yieldOrStop();
        }
      });
      const manifest = { ...written, journal, foreignCount };
      // what it replaces is gone already
      await store.blobs.publish(partition, manifest, manifest);
      blobs.manifest = manifest;
      blobs.journalRows -= journalRows;
      return manifest;
    } finally {
      await stream.return(undefined);
    }
  }

  async #yieldOrStop(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#closed || this.#waiting > 0) throw new Interrupted();
  }
}

/** Writes the blocks of the next generation as they are cut. */
class GenerationWriter {
  readonly cutter: BlockCutter;
  readonly #store: RecordStore;
  readonly #partition: number;
  /** The generation in use; 0: none. */
  readonly #present: number;
  readonly #kind: RowKind;
  readonly #blocks: BlockSeal[] = [];
  #bytes = 0;

  constructor(store: RecordStore, partition: number, present: number, kind: RowKind) {
    this.cutter = new BlockCutter(kind.widths);
    this.#store = store;
    this.#partition = partition;
    this.#present = present;
    this.#kind = kind;
  }

  /**
   * Writes the generation, or leaves nothing of it.
   * @param cut gives all rows to the cutter, with a flush() now and then
   * @returns its manifest, as far as it can tell
   */
  async write(
    cut: () => Promise<void>,
  ): Promise<Pick<BlobManifest, 'generation' | 'blocks' | 'rows' | 'modelTag'>> {
    const { blobs } = this.#store;
    await blobs.keepOnly(this.#partition, this.#present);
    try {
      await cut();
      this.cutter.end();
      await this.flush();
    } catch (error) {
      // a full disk needs the room; where it fails, the next attempt begins with it
      await blobs.keepOnly(this.#partition, this.#present).catch(() => undefined);
      throw error;
    }
    return {
      generation: this.#present + 1,
      blocks: this.#blocks,
      rows: this.cutter.rows,
      modelTag: this.#kind.modelTag.toString(16),
    };
  }

  async flush(): Promise<void> {
    for (const sealed of this.cutter.takeFinished()) {
      await this.#store.blobs.writeBlocks(this.#partition, this.#present + 1, this.#bytes, [sealed]);
      this.#bytes += sealed.length;
      this.#blocks.push(sealOfBlock(sealed));
    }
  }
}
