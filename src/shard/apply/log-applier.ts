import { assert, KinscanError } from '../../core/errors.js';
import type { ModelSettings } from '../../runtime/cluster-state.js';
import type { IndexChange, ShardIndex } from '../index/shard-index.js';
import type { RowKind } from '../store/blob-store.js';
import { RowBuilder } from '../store/row-builder.js';
import type { LogPosition, RecordStore, StoreChange } from '../store/record-store.js';
import type { AttributeTable } from '../attributes/attribute-table.js';
import type { AttributeNumbers } from './attribute-numbers.js';
import { BlobCompactor, JOURNAL_LIMITS, type BlobEvents, type JournalLimits } from './blob-compactor.js';
import { batchChangesOf, type BatchChanges } from './batch-changes.js';
import { decideEntries } from './decide-entries.js';
import { decodeLogEntry, type DecodedEntry } from './decode-log-entry.js';
import { Mutex } from '../mutex.js';
import {
  loadPartition,
  rowKindOf,
  type LoadedPartition,
  type LoadOptions,
  type PartitionBlobs,
} from './partition-loader.js';
import { PositionBoard } from './position-board.js';
import { readStoredStates, type PartitionEntries, type PartitionStates } from './stored-states.js';

/** One entry of the CODES log as it came. */
export interface RawEntry {
  readonly sequence: number;
  /** undefined: it concerns every partition. */
  readonly partition: number | undefined;
  readonly bytes: Uint8Array;
}

export interface ApplyOutcome {
  /** Entries that were decoded and handed to at least one partition. */
  readonly appliedCount: number;
  readonly staleCount: number;
  /** Sequence numbers of entries that could not be decoded and were passed over. */
  readonly corruptSequences: readonly number[];
  /** Entries of other model versions: stored, never compared. */
  readonly foreignCount: number;
}

export interface LogApplierOptions {
  readonly store: RecordStore;
  readonly index: ShardIndex;
  /** As they are stored. */
  readonly attributes: AttributeNumbers;
  readonly model: ModelSettings;
  readonly partitionCount: number;
  readonly blobEvents: BlobEvents;
  /** @default JOURNAL_LIMITS */
  readonly journalLimits?: JournalLimits;
}

interface HostedPartition {
  position: LogPosition;
  imageCount: number;
  foreignCount: number;
  readonly blobs: PartitionBlobs;
}

/** Rows of a stored block, and some that a journal adds to it. */
const STAGING_ROWS = 16_384;

/** The index could not take what the store has: it must be loaded anew. */
export class IndexFailure extends Error {}

/** A batch made out for the hosted partitions. */
interface SharedBatch extends Omit<ApplyOutcome, 'staleCount'> {
  readonly shares: readonly PartitionEntries[];
}

/**
 * Makes the hosted partitions follow the log, a batch at a time:
 *
 *     entries ─▶ decode ─▶ read tie entries ─▶ decide (pure) ─▶ RocksDB, one batch ─▶ index ─▶ position board
 *                                                               └── one at a time with exclusive searches ──┘
 *
 * Invariants: the store is never behind the index; outside of `publishing` both say the same; the position board is
 * never ahead of either. A crash in between leaves the store's position as the only truth, and the log is read again
 * from there.
 */
export class LogApplier {
  readonly board = new PositionBoard();
  readonly #options: LogApplierOptions;
  readonly #kind: RowKind;
  readonly #compactor: BlobCompactor;
  readonly #hosted = new Map<number, HostedPartition>();
  readonly #publishing = new Mutex();
  /** What the store holds: restartAt() moves positions without writing them. */
  readonly #positionInStore = new Map<number, number>();
  #commitFailed = false;
  /** Ids that the store may show already and the index not yet. */
  #idsUnderWay: ReadonlySet<string> = new Set();
  #changeCount = 0;

  constructor(options: LogApplierOptions) {
    this.#options = options;
    this.#kind = rowKindOf(options.model);
    this.#compactor = new BlobCompactor({
      store: options.store,
      kind: this.#kind,
      events: options.blobEvents,
      limits: options.journalLimits ?? JOURNAL_LIMITS,
      exclusively: (task) => this.exclusively(task),
    });
  }

  /** The attribute sets of the images of all partitions. */
  get attributes(): AttributeTable {
    return this.#options.attributes.table;
  }

  /** Loads partitions into the index; all of them are searchable then, or none. @throws KinscanError CORRUPT_RECORD */
  async host(...partitions: readonly number[]): Promise<void> {
    const { store, index, attributes } = this.#options;
    const attributeSets = attributes.table.size;
    const options: LoadOptions = {
      ...{ store, kind: this.#kind, staging: new RowBuilder(this.#kind.widths, STAGING_ROWS) },
      begin: (partition, rows) => index.beginLoad(partition, { rows, attributesEnd: attributeSets }),
    };
    const loaded: LoadedPartition[] = [];
    const positions = await store.positions(partitions);
    try {
      await this.#compactor.withoutCompaction(async () => {
        for (const [i, partition] of partitions.entries()) {
          loaded.push(await loadPartition(partition, positions[i]?.journal ?? 0, options));
        }
      });
    } catch (error) {
      for (const { load } of loaded) load.abandon();
      throw error;
    }
    // only now, since the index rebuilds what it gets on another thread, in competition with the reading
    loaded.forEach((one, i) => this.#takeOver(one, positions[i] as LogPosition));
  }

  #takeOver(
    { partition, rows, load, foreignCount, blobs, damage }: LoadedPartition,
    position: LogPosition,
  ): void {
    const { blobEvents } = this.#options;
    load.done();
    if (damage !== undefined) blobEvents.onDamaged(partition, damage);
    blobEvents.onLoaded(partition, blobs.manifest ? 'blobs' : 'tieEntries');
    this.#positionInStore.set(partition, position.sequence);
    this.#hosted.set(partition, { position, imageCount: rows, foreignCount, blobs });
    this.board.set([[partition, position.sequence]]);
    this.#compactor.consider(partition, blobs);
  }

  /** Takes a partition out of search; what is stored of it stays. */
  unhost(partition: number): void {
    this.#hosted.delete(partition);
    this.#options.index.drop(partition);
  }

  /** Ascending. */
  partitions(): number[] {
    return [...this.#hosted.keys()].sort((a, b) => a - b);
  }

  isHosted(partition: number): boolean {
    return this.#hosted.has(partition);
  }

  positionOf(partition: number): LogPosition {
    return this.#partition(partition).position;
  }

  /** For a log that was begun anew: where to go on; stored with the next batch. */
  restartAt(partition: number, position: LogPosition): void {
    this.#partition(partition).position = position;
    this.board.set([[partition, position.sequence]]);
  }

  /** Resolves once no blobs are being written and none need to be. */
  blobsSettled(): Promise<void> {
    return this.#compactor.settled();
  }

  /** Ends what is under way in the background; the store may be closed then. */
  close(): Promise<void> {
    return this.#compactor.close();
  }

  /** Searchable images. */
  imageCount(partition: number): number {
    return this.#partition(partition).imageCount;
  }

  /** Stored images of other model versions, over all partitions. */
  foreignImageCount(): number {
    return [...this.#hosted.values()].reduce((sum, { foreignCount }) => sum + foreignCount, 0);
  }

  /**
   * Applies consecutive entries, durably and searchably, to every hosted partition that they concern. One batch at a
   * time: the caller waits before it hands over the next. Entries that a partition has had are skipped.
   * @throws KinscanError STORAGE_FULL and other failures of the store (nothing is applied: try again)
   * @throws IndexFailure where the index failed after the store was written (only a restart helps)
   */
  async apply(entries: readonly RawEntry[]): Promise<ApplyOutcome> {
    const last = entries.at(-1);
    if (last === undefined) return { appliedCount: 0, staleCount: 0, corruptSequences: [], foreignCount: 0 };
    if (this.#commitFailed || this.#options.store.needsReopen) await this.#recover();
    const { shares, ...counts } = this.#share(entries);
    const states = await readStoredStates(this.#options.store, shares);
    let staleCount = 0;
    const ids = new Set<string>();
    const changes = new Map<number, BatchChanges>();
    shares.forEach(({ partition, entries: share }, i) => {
      const stored = states[i] as PartitionStates;
      const { generation } = this.positionOf(partition);
      const decision = decideEntries(share, generation, stored, this.#options.attributes.intern);
      staleCount += decision.staleCount;
      for (const id of decision.changes.keys()) ids.add(id);
      changes.set(partition, batchChangesOf(partition, decision, stored, this.#kind.modelTag));
    });
    await this.#publishing.run(async () => {
      this.#idsUnderWay = ids;
      this.#changeCount++;
      try {
        await this.#publish(changes, last.sequence);
      } finally {
        this.#changeCount++;
        this.#idsUnderWay = new Set();
      }
    });
    return { ...counts, staleCount };
  }

  /**
   * Odd while a batch is between store and index. Twice the same even number: store and index are as they were, and were
   * all the time in between.
   */
  get changeCount(): number {
    return this.#changeCount;
  }

  /** Runs a task while no batch is between store and index. */
  exclusively<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#publishing.run(task);
  }

  /** Resolves once what the store shows of these ids is searchable too. */
  async searchable(imageIds: readonly string[]): Promise<void> {
    if (imageIds.some((id) => this.#idsUnderWay.has(id))) await this.exclusively(() => Promise.resolve());
  }

  /** Store, index, board, in that order. */
  async #publish(changes: ReadonlyMap<number, BatchChanges>, sequence: number): Promise<void> {
    const { store, index, attributes } = this.#options;
    const journal = [...changes].flatMap(([partition, change]) => this.#journalEntry(partition, change));
    const journalNumbers = new Map(journal.map(({ partition, number }) => [partition, number]));
    const positions = [...this.#hosted].map(([partition, { position, blobs }]) => ({
      partition,
      position: {
        ...position,
        sequence: Math.max(position.sequence, sequence),
        journal: journalNumbers.get(partition) ?? blobs.journal,
      },
    }));
    const attributeCount = attributes.table.size;
    this.#commitFailed = true;
    await store.commit({
      tieEntries: [...changes.values()].flatMap(({ tieEntries }) => tieEntries),
      records: [...changes.values()].flatMap(({ records }) => records),
      positions,
      journal,
      attributePages: attributes.pagesToStore(),
    });
    this.#commitFailed = false;
    attributes.setStored(attributeCount);
    await Promise.all(
      [...changes].map(async ([partition, change]) => {
        await applyToIndex(index, partition, change);
        const hosted = this.#partition(partition);
        hosted.imageCount += change.imageCountChange;
        hosted.foreignCount += change.foreignCountChange;
      }),
    );
    for (const { partition, changes } of journal) {
      const { blobs } = this.#partition(partition);
      blobs.journal++;
      blobs.journalRows += changes.removed.length + changes.added.length;
      this.#compactor.consider(partition, blobs);
    }
    for (const { partition, position } of positions) {
      this.#partition(partition).position = position;
      this.#positionInStore.set(partition, position.sequence);
    }
    this.board.set(positions.map(({ partition, position }) => [partition, position.sequence]));
  }

  /** What a change adds to the journal of its partition: nothing, where no row changes. */
  #journalEntry(partition: number, change: BatchChanges): StoreChange['journal'] {
    const { removed, added, foreignCountChange } = change;
    if (removed.length + added.length === 0 && foreignCountChange === 0) return [];
    const { modelTag, widths } = this.#kind;
    const number = this.#partition(partition).blobs.journal + 1;
    return [{ partition, number, widths, changes: { modelTag, foreignCountChange, removed, added } }];
  }

  /** After a failed write: finds out whether it was written all the same, which the index would not know. */
  async #recover(): Promise<void> {
    const { store } = this.#options;
    await this.#publishing.run(() => store.reopen());
    const partitions = this.partitions();
    const stored = await store.positions(partitions);
    const differs = (partition: number, i: number) =>
      stored[i]?.sequence !== this.#positionInStore.get(partition);
    if (partitions.some(differs)) throw new IndexFailure('a write that failed has reached the store');
    this.#commitFailed = false;
  }

  #partition(partition: number): HostedPartition {
    const hosted = this.#hosted.get(partition);
    assert(hosted !== undefined, `partition ${partition} is not hosted`);
    return hosted;
  }

  /** Decodes the entries and gives each partition those that it has not had. */
  #share(entries: readonly RawEntry[]): SharedBatch {
    const { model, partitionCount } = this.#options;
    const shares = new Map<number, DecodedEntry[]>();
    const corruptSequences: number[] = [];
    let [appliedCount, foreignCount] = [0, 0];
    for (const { sequence, partition, bytes } of entries) {
      const isNew = (p: number) => sequence > (this.#hosted.get(p)?.position.sequence ?? Infinity);
      const targets = (partition === undefined ? [...this.#hosted.keys()] : [partition]).filter(isNew);
      if (targets.length === 0) continue;
      const entry = decodeOrUndefined(bytes, partition, { ...model, partitionCount });
      if (entry === undefined) {
        corruptSequences.push(sequence);
        continue;
      }
      appliedCount++;
      if (entry.kind === 'record' && entry.modelVersion !== model.modelVersion) foreignCount++;
      for (const target of targets) {
        const share = shares.get(target);
        if (share === undefined) shares.set(target, [entry]);
        else share.push(entry);
      }
    }
    return {
      shares: [...shares].map(([partition, share]) => ({ partition, entries: share })),
      appliedCount,
      corruptSequences,
      foreignCount,
    };
  }
}

async function applyToIndex(
  index: ShardIndex,
  partition: number,
  { removed, added }: BatchChanges,
): Promise<void> {
  const changes: IndexChange[] = [
    ...removed.map((row) => ({ kind: 'remove' as const, ...row })),
    ...added.map((row) => ({ kind: 'add' as const, row })),
  ];
  if (changes.length === 0) return;
  try {
    await index.apply(partition, changes);
  } catch (cause) {
    throw new IndexFailure('the index failed behind the store', { cause });
  }
}

/** A damaged entry must not stop those behind it: it is counted and passed over. */
function decodeOrUndefined(...args: Parameters<typeof decodeLogEntry>): DecodedEntry | undefined {
  try {
    return decodeLogEntry(...args);
  } catch (error) {
    if (error instanceof KinscanError && error.code === 'CORRUPT_RECORD') return undefined;
    throw error;
  }
}
