import { KinscanError } from '../../core/errors.js';
import type { WorkerPool } from '../../runtime/worker-pool.js';
import type { AllowedSets } from './allowed-sets.js';
import type { IndexHits } from './index-api.js';
import { QueryCost } from './query-cost.js';
import { PARAM_NUMBERS, packRules } from './query-params.js';
import {
  SNAPSHOT_NUMBERS,
  type IndexTask,
  type SearchTask,
  type SearchTaskResult,
  type SegmentDescriptor,
} from './search-task.js';
import { descriptorOf, type SnapshotOf, type TaskRunner } from './task-runner.js';
import type { PreparedQuery } from './segment-reader.js';
import type { SegmentSnapshot } from './segment.js';
import { ENTRY_BYTES, mergeEntries, unpackHits } from './unpack-hits.js';

/** Queries that one task may hold. */
const QUERIES_PER_TASK_MAX = 16;
/** A query that is expected to compare fewer codes stays on one thread: a round trip would cost what it saves. */
export const SPLIT_CODES_MIN = 4_000_000;
/** Weight of the newest query in the share of codes that queries are expected to compare. */
const VISITED_WEIGHT = 0.2;

/** A search of so few rows, microseconds, is over before a thread would have woken up. */
export const INLINE_ROWS_MAX = 65_536;

/** After so much searching in one turn of the event loop the calling thread leaves the rest to the search threads. */
const INLINE_MS_PER_TURN_MAX = 4;

export interface QueryQueueOptions {
  /** Queries that may wait. */
  readonly queueLengthMax: number;
  /** Codes that a lone query must be expected to compare to be split; each part gets half as many at least. */
  readonly splitCodesMin: number;
  /** Galleries of up to so many rows are searched at once on the calling thread; 0: nothing is. */
  readonly inlineRowsMax: number;
  /** The scratch that is kept for the calling thread. */
  readonly inlineSlot: number;
}

/** A partition's newest state; undefined where the index does not hold the partition. */
export type TakeSnapshot = (partition: number) => SegmentSnapshot | undefined;

interface Waiting {
  readonly query: PreparedQuery;
  readonly partitions: readonly number[];
  readonly resolve: (hits: IndexHits) => void;
  readonly reject: (reason: Error) => void;
  /** Answered, failed or aborted. */
  settled: boolean;
}

/**
 * Hands queries to the search threads.
 *
 *   search() ──▶ [waiting] ──▶ task of up to 16 queries ──▶ one thread, all partitions
 *
 * A gallery of few rows is searched at once, without a thread, and so are queries of a kind that is cheap, some
 * milliseconds of them in a turn: a thread round trip costs as much as a small search. For the same reason queries that
 * wait together travel together; an idle thread never waits for company. A large query that is alone is split by
 * partitions over the free threads. Snapshots are taken when a task leaves, not when its queries came: what was applied
 * before search() was called is always seen. At most one task per slot runs, and a slot is a scratch in every segment.
 */
export class QueryQueue {
  readonly #pool: WorkerPool<IndexTask, SearchTaskResult>;
  readonly #takeSnapshot: TakeSnapshot;
  readonly #options: QueryQueueOptions;
  readonly #freeSlots: number[];
  readonly #idleWaiters: (() => void)[] = [];
  #waiting: Waiting[] = [];
  #runningQueries = 0;
  /** Codes that queries compare, over codes that there are: small where probing works, 1 where all are scanned. */
  #visitedShare = 1;
  readonly #cost = new QueryCost();
  /** Searched on the calling thread in this turn of the event loop. */
  #inlineMs = 0;
  readonly #inline: TaskRunner;

  constructor(
    pool: WorkerPool<IndexTask, SearchTaskResult>,
    inline: TaskRunner,
    takeSnapshot: TakeSnapshot,
    options: QueryQueueOptions,
  ) {
    this.#pool = pool;
    this.#inline = inline;
    this.#takeSnapshot = takeSnapshot;
    this.#options = options;
    this.#freeSlots = Array.from({ length: pool.threads }, (_, slot) => slot);
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  get runningCount(): number {
    return this.#runningQueries;
  }

  /** @throws KinscanError OVERLOADED; signal.reason */
  run(query: PreparedQuery, partitions: readonly number[], signal?: AbortSignal): Promise<IndexHits> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (this.#isForCallingThread(query, partitions)) return this.#runInline(query, partitions);
    if (this.#freeSlots.length === 0 && this.#waiting.length >= this.#options.queueLengthMax) {
      return Promise.reject(new KinscanError('OVERLOADED', 'too many searches wait', { retryAfterMs: 20 }));
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        waiting.settled = true;
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(signal?.reason as Error);
      };
      const waiting: Waiting = {
        query,
        partitions,
        settled: false,
        resolve: (hits) => {
          signal?.removeEventListener('abort', onAbort);
          if (!waiting.settled) resolve(hits);
        },
        reject: (reason) => {
          signal?.removeEventListener('abort', onAbort);
          if (!waiting.settled) reject(reason);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiting);
      this.#pump();
    });
  }

  #isForCallingThread(query: PreparedQuery, partitions: readonly number[]): boolean {
    if (query.allowed?.count === 0) return true;
    const { inlineRowsMax } = this.#options;
    if (inlineRowsMax === 0 || this.#inlineMs >= INLINE_MS_PER_TURN_MAX) return false;
    return this.#cost.isCheap(query) || this.#rowsOf(partitions) <= inlineRowsMax;
  }

  #rowsOf(partitions: readonly number[]): number {
    let rows = 0;
    for (const partition of partitions) {
      const snapshot = this.#takeSnapshot(partition);
      if (snapshot !== undefined) rows += snapshot.segment.layout.baseRows + snapshot.deltaCount;
    }
    return rows;
  }

  // an async function, so that what is thrown is a rejection as on the threads
  async #runInline(query: PreparedQuery, partitions: readonly number[]): Promise<IndexHits> {
    const snapshots = this.#snapshotsOf(partitions);
    const { entries, elapsedMs } = this.#inline.runOne(query, snapshots, this.#options.inlineSlot);
    this.#cost.record(query, elapsedMs);
    if (this.#inlineMs === 0) setImmediate(() => (this.#inlineMs = 0));
    this.#inlineMs += elapsedMs;
    return unpackHits(entries, 0, entries.length / ENTRY_BYTES);
  }

  /** Resolves once nothing waits and nothing runs. */
  drain(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#freeSlots.length === this.#pool.threads;
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#freeSlots.length > 0) {
      void this.#start(this.#takeGroup(), this.#freeSlots.pop() as number);
    }
    if (this.#isIdle()) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  // The oldest query and those after it that want the same partitions, leaving enough for the other free threads.
  #takeGroup(): Waiting[] {
    const share = Math.ceil(this.#waiting.length / this.#freeSlots.length);
    const limit = Math.min(QUERIES_PER_TASK_MAX, share);
    const first = this.#waiting[0] as Waiting;
    let count = 1;
    while (count < limit && samePartitions(first, this.#waiting[count] as Waiting)) count++;
    return this.#waiting.splice(0, count);
  }

  async #start(group: readonly Waiting[], slot: number): Promise<void> {
    const slots = [slot];
    this.#runningQueries += group.length;
    let snapshots: SnapshotOf[] = [];
    try {
      snapshots = this.#snapshotsOf((group[0] as Waiting).partitions);
      for (const { snapshot } of snapshots) snapshot.segment.retain();
      const parts = group.length > 1 ? [snapshots] : splitForThreads(snapshots, this.#partsFor(snapshots));
      while (slots.length < parts.length) slots.push(this.#freeSlots.pop() as number);
      const tasks = parts.map((part, i) => this.#runTask(searchTask(group, part, slots[i] as number), part));
      this.#answer(group, snapshots, await allDone(tasks));
    } catch (thrown) {
      for (const waiting of group) waiting.reject(thrown as Error);
    } finally {
      for (const { snapshot } of snapshots) snapshot.segment.release();
      this.#runningQueries -= group.length;
      this.#freeSlots.push(...slots);
      this.#pump();
    }
  }

  // How many threads the only query that waits is worth: as many as are free and get enough to do.
  #partsFor(snapshots: readonly SnapshotOf[]): number {
    const expected = this.#visitedShare * codesOf(snapshots);
    if (this.#waiting.length > 0 || expected < this.#options.splitCodesMin) return 1;
    return Math.min(
      1 + this.#freeSlots.length,
      Math.floor((2 * expected) / this.#options.splitCodesMin),
      snapshots.length,
    );
  }

  #answer(
    group: readonly Waiting[],
    snapshots: readonly SnapshotOf[],
    results: readonly SearchTaskResult[],
  ): void {
    const visited = results.reduce((sum, result) => sum + result.visited, 0) / group.length;
    const share = visited / Math.max(1, codesOf(snapshots));
    this.#visitedShare += (share - this.#visitedShare) * VISITED_WEIGHT;
    const elapsedMs = results.reduce((sum, result) => sum + result.elapsedMs, 0) / group.length;
    for (const { query } of group) this.#cost.record(query, elapsedMs);
    const [first] = results as [SearchTaskResult];
    if (results.length > 1) {
      const [{ query, resolve }] = group as [Waiting];
      const entries = mergeEntries(
        results.map((result) => result.entries),
        query.k,
      );
      resolve(unpackHits(entries, 0, entries.length / ENTRY_BYTES));
      return;
    }
    let at = 0;
    group.forEach((waiting, i) => {
      const count = first.counts[i] as number;
      if (!waiting.settled) waiting.resolve(unpackHits(first.entries, at, count));
      at += count;
    });
  }

  async #runTask(task: SearchTask, snapshots: readonly SnapshotOf[]): Promise<SearchTaskResult> {
    const result = await this.#pool.run(task, { priority: 'query' });
    if (!result.missing) return result;
    return this.#pool.run({ ...task, segments: segmentsOf(snapshots) }, { priority: 'query' });
  }

  #snapshotsOf(partitions: readonly number[]): SnapshotOf[] {
    return partitions.map((partition) => {
      const snapshot = this.#takeSnapshot(partition);
      if (snapshot === undefined)
        throw new KinscanError('STALE_PLACEMENT', `partition ${partition} is not here`);
      return { partition, snapshot };
    });
  }
}

function segmentsOf(snapshots: readonly SnapshotOf[]): SegmentDescriptor[] {
  return snapshots.map(({ partition, snapshot: { segment } }) => descriptorOf(partition, segment));
}

function codesOf(snapshots: readonly SnapshotOf[]): number {
  return snapshots.reduce(
    (sum, { snapshot }) => sum + snapshot.segment.layout.groups + snapshot.deltaCount,
    0,
  );
}

// Deals partitions to parts, the largest first, each to the part that has least.
function splitForThreads(snapshots: readonly SnapshotOf[], count: number): SnapshotOf[][] {
  const parts = Array.from({ length: Math.max(1, count) }, () => ({
    codes: 0,
    snapshots: [] as SnapshotOf[],
  }));
  const bySize = [...snapshots].sort((a, b) => codesOf([b]) - codesOf([a]));
  for (const snapshot of bySize) {
    const least = parts.reduce((a, b) => (b.codes < a.codes ? b : a));
    least.snapshots.push(snapshot);
    least.codes += codesOf([snapshot]);
  }
  return parts.map((part) => part.snapshots);
}

// Waits for all, also where one fails: a scratch that a task still writes must not be given to another.
async function allDone<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(tasks);
  return Promise.all(tasks);
}

function samePartitions(a: Waiting, b: Waiting): boolean {
  return a.partitions.length === b.partitions.length && a.partitions.every((p, i) => p === b.partitions[i]);
}

function searchTask(
  group: readonly Pick<Waiting, 'query'>[],
  snapshots: readonly SnapshotOf[],
  slot: number,
): SearchTask {
  const first = (group[0] as Waiting).query;
  const numbers = new Uint32Array(snapshots.length * SNAPSHOT_NUMBERS);
  snapshots.forEach(({ partition, snapshot }, i) => {
    numbers.set(
      [partition, snapshot.segment.id, snapshot.deltaCount, snapshot.tombstones],
      i * SNAPSHOT_NUMBERS,
    );
  });
  const params = new Uint32Array(group.length * PARAM_NUMBERS);
  const codes = new Uint8Array(group.length * first.code.length);
  const fineCodes = new Uint8Array(group.length * first.fineCode.length);
  const filters: AllowedSets[] = [];
  group.forEach(({ query }, i) => {
    params.set(packRules(query, filters), i * PARAM_NUMBERS);
    codes.set(query.code, i * query.code.length);
    fineCodes.set(query.fineCode, i * query.fineCode.length);
  });
  return { kind: 'search', slot, snapshots: numbers, params, codes, fineCodes, filters, segments: [] };
}
