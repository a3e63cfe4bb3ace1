import { KinscanError } from '../../core/errors.js';
import type { WorkerPool } from '../../runtime/worker-pool.js';
import type { IndexHits } from './index-api.js';
import {
  PARAM_NUMBERS,
  SNAPSHOT_NUMBERS,
  type IndexTask,
  type SearchTask,
  type SearchTaskResult,
} from './search-task.js';
import type { PreparedQuery } from './segment-reader.js';
import type { SegmentSnapshot } from './segment.js';
import { unpackHits } from './unpack-hits.js';

/** Queries that one task may hold. */
const QUERIES_PER_TASK_MAX = 16;

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
 * A thread round trip costs as much as a small search, so queries that wait together travel together; an idle thread
 * never waits for company. Snapshots are taken when a task leaves, not when its queries came: what was applied before
 * search() was called is always seen. At most one task per slot runs, and a slot is a scratch in every segment.
 */
export class QueryQueue {
  readonly #pool: WorkerPool<IndexTask, SearchTaskResult>;
  readonly #takeSnapshot: TakeSnapshot;
  readonly #queueLengthMax: number;
  readonly #freeSlots: number[];
  readonly #idleWaiters: (() => void)[] = [];
  #waiting: Waiting[] = [];
  #runningQueries = 0;

  constructor(
    pool: WorkerPool<IndexTask, SearchTaskResult>,
    takeSnapshot: TakeSnapshot,
    queueLengthMax: number,
  ) {
    this.#pool = pool;
    this.#takeSnapshot = takeSnapshot;
    this.#queueLengthMax = queueLengthMax;
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
    if (this.#freeSlots.length === 0 && this.#waiting.length >= this.#queueLengthMax) {
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
    this.#runningQueries += group.length;
    let snapshots: SnapshotOf[] = [];
    try {
      snapshots = this.#snapshotsOf((group[0] as Waiting).partitions);
      for (const { snapshot } of snapshots) snapshot.segment.retain();
      const result = await this.#runTask(searchTask(group, snapshots, slot), snapshots);
      let at = 0;
      group.forEach((waiting, i) => {
        const count = result.counts[i] as number;
        if (!waiting.settled) waiting.resolve(unpackHits(result.entries, at, count));
        at += count;
      });
    } catch (thrown) {
      for (const waiting of group) waiting.reject(thrown as Error);
    } finally {
      for (const { snapshot } of snapshots) snapshot.segment.release();
      this.#runningQueries -= group.length;
      this.#freeSlots.push(slot);
      this.#pump();
    }
  }

  async #runTask(task: SearchTask, snapshots: readonly SnapshotOf[]): Promise<SearchTaskResult> {
    const result = await this.#pool.run(task, { priority: 'query' });
    if (!result.missing) return result;
    const segments = snapshots.map(({ partition, snapshot: { segment } }) => {
      return { partition, segmentId: segment.id, layout: segment.layout, memory: segment.memory };
    });
    return this.#pool.run({ ...task, segments }, { priority: 'query' });
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

interface SnapshotOf {
  readonly partition: number;
  readonly snapshot: SegmentSnapshot;
}

function samePartitions(a: Waiting, b: Waiting): boolean {
  return a.partitions.length === b.partitions.length && a.partitions.every((p, i) => p === b.partitions[i]);
}

function searchTask(group: readonly Waiting[], snapshots: readonly SnapshotOf[], slot: number): SearchTask {
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
  group.forEach(({ query }, i) => {
    params.set([query.k, query.maxDistance, query.fine ? 1 : 0], i * PARAM_NUMBERS);
    codes.set(query.code, i * query.code.length);
    fineCodes.set(query.fineCode, i * query.fineCode.length);
  });
  return { kind: 'search', slot, snapshots: numbers, params, codes, fineCodes, segments: [] };
}
