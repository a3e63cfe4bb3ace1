import { KinscanError } from '../../core/errors.js';
import type { WorkerPool } from '../../runtime/worker-pool.js';
import { attributeCapacityFor } from './attribute-capacity.js';
import { deltaRowsFor } from './build-segment.js';
import type { BuildResult, BuildTask } from './build-worker.js';
import type { IndexChange, PartitionStats, RowBytes } from './index-api.js';
import type { MemoryReserve } from './memory-reserve.js';
import type { OneAtATime } from './one-at-a-time.js';
import { clearSegment, layOutSegment, memoryFor, type SegmentShape } from './segment-layout.js';
import { Segment, type SegmentSnapshot } from './segment.js';

/** A delta with more rows than this is not searched for rows to remove on the main thread: that waits for the rebuild. */
const LOOKUP_ROWS_MAX = 250_000;
/** Milliseconds that replaying changes may hold the event loop at a time. */
const REPLAY_SLICE_MS = 8;

export interface PartitionIndexOptions {
  readonly partition: number;
  readonly codeBits: number;
  readonly fineCodeBits: number;
  /** Tasks that may search at once. */
  readonly slots: number;
  readonly deltaRowsMin: number;
  readonly tableCodesMin: number;
  /** A number never given before, for a new segment. */
  readonly nextSegmentId: () => number;
  readonly builder: WorkerPool<BuildTask, BuildResult>;
  /** Shared by all partitions, so that one segment at most exists twice. */
  readonly builds: OneAtATime;
  readonly reserve: MemoryReserve;
}

/**
 * One partition: the segment that is current, and its replacement by a rebuilt one.
 *
 *   load ─▶ segment with everything in the delta ─▶ rebuild ─▶ base + empty delta ─▶ ... delta fills ─▶ rebuild ...
 *
 * A rebuild freezes a snapshot and builds the next segment from it on another thread. Changes go on meanwhile, to the
 * current segment and to a list; the list is replayed on the next segment, then the next becomes current. The end of the
 * replay and the swap are one synchronous piece, so no change is lost between them.
 */
export class PartitionIndex {
  readonly #options: PartitionIndexOptions;
  #segment: Segment;
  #rebuilds = 0;
  #rebuilding: Promise<void> | undefined;
  /** Changes applied since the snapshot of the rebuild under way; undefined while there is no such snapshot. */
  #sinceSnapshot: (readonly IndexChange[])[] | undefined;
  /** The last of the applies that had to wait; later ones wait behind it. */
  #waitingApply: Promise<void> | undefined;
  #dropped = false;
  #closing = false;

  /** Without rows: append(), then start(). @param room for so many rows with attribute sets below `attributesEnd` */
  constructor(options: PartitionIndexOptions, room: Room) {
    this.#options = options;
    this.#segment = this.#emptySegment(room);
  }

  /** Where rows lie in the delta; undefined: not as they are packed, or nowhere. */
  placeOf(first: number, count: number): RowBytes | undefined {
    return this.#segment.placeOf(first, count);
  }

  /**
   * Takes rows to the delta.
   * @returns one more than the largest number of their attribute sets
   * @throws KinscanError INVALID_ARGUMENT where there is no room for them
   */
  append(rows: RowBytes): number {
    const { deltaCount, layout } = this.#segment;
    if (deltaCount + rows.count > layout.deltaCapacity)
      throw new KinscanError('INVALID_ARGUMENT', 'more rows than there is room for');
    return this.#segment.appendPacked(rows);
  }

  /** All rows were appended. */
  start(): void {
    if (this.#segment.deltaCount > this.#options.deltaRowsMin) this.#startRebuild();
  }

  snapshot(): SegmentSnapshot {
    return this.#segment.snapshot();
  }

  async apply(changes: readonly IndexChange[]): Promise<void> {
    if (this.#waitingApply === undefined && this.#tryApply(changes)) return;
    const before = this.#waitingApply ?? Promise.resolve();
    const applied = before.then(async () => {
      while (!this.#tryApply(changes)) await this.#rebuild(roomFor(changes));
    });
    const settled = applied.then(noop, noop);
    this.#waitingApply = settled;
    try {
      await applied;
    } finally {
      if (this.#waitingApply === settled) this.#waitingApply = undefined;
    }
  }

  /** The rebuild under way, if any, and those that it calls for. */
  async settled(): Promise<void> {
    while (this.#rebuilding !== undefined) await this.#rebuilding;
  }

  /** Rebuilds no more than what changes wait for, and resolves when that and the rebuild under way are done. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.settled();
  }

  /** Gives the memory back once nobody reads it. */
  drop(): void {
    this.#dropped = true;
    this.#retire(this.#segment);
  }

  stats(): PartitionStats {
    const { layout, deltaCount, tombstones, liveRows } = this.#segment;
    const rowBytes = (layout.codeWords + layout.fineWords + 1) * 8 + 4;
    return {
      partition: this.#options.partition,
      rows: liveRows,
      distinctCodes: layout.groups,
      deltaRows: deltaCount,
      deadRows: tombstones,
      usedBytes: layout.tombstoneLog - layout.codes + deltaCount * rowBytes + tombstones * 4,
      reservedBytes: this.#segment.bytes.byteLength,
      rebuilds: this.#rebuilds,
    };
  }

  // Whether the current segment could take the changes.
  #tryApply(changes: readonly IndexChange[]): boolean {
    if (this.#dropped) throw new KinscanError('STALE_PLACEMENT', 'the partition was dropped');
    const segment = this.#segment;
    const removes = changes.some((change) => change.kind === 'remove');
    if (removes && segment.deltaCount > LOOKUP_ROWS_MAX) return false;
    const plan = segment.plan(changes);
    if (!segment.hasRoomFor(plan)) return false;
    segment.commit(plan);
    this.#sinceSnapshot?.push(changes);
    if (this.#rebuilding === undefined && segment.isHalfFull()) this.#startRebuild();
    return true;
  }

  #startRebuild(): void {
    // a failure has left the current segment as it was; whoever needs the room will meet it again
    this.#rebuild(NO_ROOM).catch(noop);
  }

  // Rebuilds now or, where a rebuild is under way, waits for it.
  #rebuild(room: Room): Promise<void> {
    this.#rebuilding ??= this.#options.builds
      .run(() => (this.#isWanted() ? this.#runRebuild(room) : Promise.resolve()))
      .finally(() => {
        this.#rebuilding = undefined;
        this.#sinceSnapshot = undefined;
      });
    return this.#rebuilding;
  }

  #isWanted(): boolean {
    return !this.#dropped && !(this.#closing && this.#waitingApply === undefined);
  }

  async #runRebuild(room: Room): Promise<void> {
    const { reserve, builder, deltaRowsMin, tableCodesMin } = this.#options;
    const old = this.#segment;
    const { layout, deltaCount, tombstones } = old;
    const target = reserve.take(layout.byteLength) ?? memoryFor(0);
    const changes: (readonly IndexChange[])[] = [];
    this.#sinceSnapshot = changes;
    old.retain();
    try {
      const built = await builder.run({
        layout,
        source: old.memory,
        deltaCount,
        deadBits: old.copyDeadBits(),
        target,
        // what may still come to the old segment must fit the new one as well
        deltaCapacityMin: layout.deltaCapacity - deltaCount + room.rows,
        tombstoneCapacityMin: layout.tombstoneCapacity - tombstones + room.rows,
        attributeCapacityMin: Math.max(layout.attributeCapacity, attributeCapacityFor(room.attributesEnd)),
        deltaRowsMin,
        tableCodesMin,
      });
      if (built.layout === undefined) throw new Error(built.failure);
      const next = new Segment(this.#options.nextSegmentId(), built.layout, target);
      for (let replayed = 0; ; await nextTurn()) {
        replayed = replaySlice(changes, replayed, next);
        // no await from here to the swap: a change applied between them would be lost
        if (replayed === changes.length) break;
      }
      if (this.#dropped) reserve.give(target);
      else this.#replaceBy(next);
    } catch (thrown) {
      reserve.give(target);
      throw new KinscanError('INTERNAL', 'a partition could not be rebuilt', { cause: thrown });
    } finally {
      old.release();
    }
  }

  #replaceBy(next: Segment): void {
    const old = this.#segment;
    this.#segment = next;
    this.#rebuilds++;
    this.#retire(old);
  }

  #retire(segment: Segment): void {
    segment.retire(() => this.#options.reserve.give(segment.memory));
  }

  #emptySegment(room: Room): Segment {
    const { codeBits, fineCodeBits, slots, deltaRowsMin, reserve } = this.#options;
    const spareRows = deltaRowsFor(room.rows, deltaRowsMin);
    const shape: SegmentShape = {
      codeBits,
      fineCodeBits,
      slots,
      baseRows: 0,
      groups: 0,
      grouped: false,
      chunks: [],
      deltaCapacity: room.rows + spareRows,
      tombstoneCapacity: spareRows,
      attributeSets: 0,
      attributeCapacity: attributeCapacityFor(room.attributesEnd),
    };
    const layout = layOutSegment(shape);
    const memory = memoryFor(layout.byteLength, reserve.take(layout.byteLength));
    clearSegment(layout, memory);
    return new Segment(this.#options.nextSegmentId(), layout, memory);
  }
}

/** What the next segment needs beyond what the current one has. */
interface Room {
  /** Rows to append or remove. */
  readonly rows: number;
  /** Attribute sets of rows to append have numbers below this. */
  readonly attributesEnd: number;
}

const NO_ROOM: Room = { rows: 0, attributesEnd: 1 };

function roomFor(changes: readonly IndexChange[]): Room {
  let last = 0;
  for (const change of changes) if (change.kind === 'add') last = Math.max(last, change.row.attributes);
  return { rows: changes.length, attributesEnd: last + 1 };
}

// Replays changes from number `from` on for a few milliseconds; returns how far it came.
function replaySlice(changes: readonly (readonly IndexChange[])[], from: number, next: Segment): number {
  const end = performance.now() + REPLAY_SLICE_MS;
  let i = from;
  while (i < changes.length && performance.now() < end) {
    next.commit(next.plan(changes[i] as readonly IndexChange[]));
    i++;
  }
  return i;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function noop(): void {
  // the outcome is told elsewhere
}
