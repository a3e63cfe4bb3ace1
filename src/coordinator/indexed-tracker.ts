import { isErrorCode, KinscanError } from '../core/errors.js';
import type { AppliedNotice__Output } from '../generated/kinscan/v1/AppliedNotice.js';
import type { EncodedNotice__Output } from '../generated/kinscan/v1/EncodedNotice.js';
import type { ErrorDetail__Output } from '../generated/kinscan/v1/ErrorDetail.js';
import type { PartitionPosition__Output } from '../generated/kinscan/v1/PartitionPosition.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/log.js';

/** Notices that are kept for revisions whose publisher does not know yet which revision it got. */
const EARLY_NOTICES_MAX = 16_384;
/** Age from which a wait is looked after by asking, since notices are delivered at most once. */
export const POLL_INTERVAL_MS = 500;

/** An image, or a deletion, that queries see. */
export interface Indexed {
  /** Hand them to a search to be sure that it sees the image, whatever replica it asks. */
  readonly positions: readonly PartitionPosition__Output[];
  /** Images (frames) published; undefined where the encoder's notice was lost. */
  readonly images: number | undefined;
}

/** Answers, at some cost, what the notices tell for nothing. */
export interface IndexingProbe {
  /** Those of the revisions that no encoder works on any more. */
  finishedRevisions(revisions: readonly number[]): Promise<ReadonlySet<number>>;
  /** Why, for those of the revisions that became dead letters since then. */
  deadLetterReasons(
    revisions: readonly number[],
    sinceMs: number,
  ): Promise<ReadonlyMap<number, ErrorDetail__Output>>;
  /** The last entry of the CODES log that concerns each partition. */
  lastPositions(): Promise<readonly PartitionPosition__Output[]>;
  /** How far each shard server that answers has come. */
  appliedPositions(): Promise<ReadonlyMap<string, readonly PartitionPosition__Output[]>>;
}

export interface IndexedTrackerOptions {
  readonly probe: IndexingProbe;
  /** Live shard servers that host the partition. */
  readonly replicasOf: (partition: number) => readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

interface Waiter {
  readonly revision: number;
  readonly sinceMs: number;
  readonly queuedAtMs: number;
  /** Set once the encoder is known to be done. */
  positions: readonly PartitionPosition__Output[] | undefined;
  images: number | undefined;
  /** Positions that are not yet known to be applied. */
  readonly missing: Map<number, number>;
  readonly settle: (outcome: Indexed | KinscanError | undefined) => void;
}

/**
 * Knows when a queued revision has become searchable.
 *
 *     queued ──EncodedNotice──▶ positions in the CODES log known ──AppliedNotice──▶ indexed
 *        └──── EncodedNotice{rejected} ──▶ dead letter
 *
 * Both notices can get lost (core NATS), so every POLL_INTERVAL_MS the same facts are asked of NATS and of the shard
 * servers for whoever has waited longer than that. While nobody waits, notices are not even decoded.
 */
export class IndexedTracker {
  readonly #options: IndexedTrackerOptions;
  readonly #waiters = new Map<number, Waiter>();
  readonly #waitersOfPartition = new Map<number, Set<Waiter>>();
  readonly #earlyNotices = new Map<number, EncodedNotice__Output>();
  /** Shard server → partition → sequence of the last entry applied. */
  readonly #applied = new Map<string, Map<number, number>>();
  #expected = 0;
  #polling = false;

  constructor(options: IndexedTrackerOptions) {
    this.#options = options;
  }

  /** Whether notices matter now. */
  get isWaiting(): boolean {
    return this.#expected > 0 || this.#waiters.size > 0;
  }

  /** Waits under way. */
  get waiterCount(): number {
    return this.#waiters.size;
  }

  /**
   * To be called before the task is published, so that no notice comes too early; `unexpect` ends it, after `wait` or where
   * the publishing failed.
   */
  expect(): void {
    this.#expected++;
  }

  unexpect(): void {
    this.#expected--;
    if (this.#expected === 0) this.#earlyNotices.clear();
  }

  /**
   * Resolves when the revision is searchable, with undefined after the time given or when the signal aborts.
   * @throws KinscanError with the code of the dead letter, where it became one
   */
  wait(revision: number, timeoutMs: number, signal?: AbortSignal): Promise<Indexed | undefined> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Indexed | KinscanError | undefined) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        this.#forget(waiter);
        if (outcome instanceof KinscanError) reject(outcome);
        else resolve(outcome);
      };
      const giveUp = () => settle(undefined);
      const timer = setTimeout(giveUp, timeoutMs);
      const { clock } = this.#options;
      const waiter: Waiter = {
        revision,
        sinceMs: clock.monotonicMs(),
        queuedAtMs: clock.nowMs(),
        positions: undefined,
        images: undefined,
        missing: new Map(),
        settle,
      };
      this.#waiters.set(revision, waiter);
      if (signal?.aborted) return giveUp();
      signal?.addEventListener('abort', giveUp, { once: true });
      const early = this.#earlyNotices.get(revision);
      if (early !== undefined) this.#onEncoded(waiter, early);
    });
  }

  encoded(notice: EncodedNotice__Output): void {
    const waiter = this.#waiters.get(notice.revision);
    if (waiter !== undefined) this.#onEncoded(waiter, notice);
    else if (this.#expected > 0 && this.#earlyNotices.size < EARLY_NOTICES_MAX) {
      this.#earlyNotices.set(notice.revision, notice);
    }
  }

  applied({ shardServer, positions }: AppliedNotice__Output): void {
    const ofServer = this.#applied.get(shardServer) ?? new Map<number, number>();
    this.#applied.set(shardServer, ofServer);
    for (const { partition, streamSequence } of positions) {
      if (streamSequence <= (ofServer.get(partition) ?? 0)) continue;
      ofServer.set(partition, streamSequence);
      for (const waiter of [...(this.#waitersOfPartition.get(partition) ?? [])])
        this.#tick(waiter, partition);
    }
  }

  /** To be called every POLL_INTERVAL_MS. Never rejects. */
  async poll(): Promise<void> {
    if (this.#polling) return;
    const startMs = this.#options.clock.monotonicMs();
    const old = [...this.#waiters.values()].filter(({ sinceMs }) => startMs - sinceMs >= POLL_INTERVAL_MS);
    if (old.length === 0) return;
    this.#polling = true;
    try {
      await this.#pollEncoded(old.filter(({ positions }) => positions === undefined));
      await this.#pollApplied();
    } catch (error) {
      this.#options.log.debug({ err: error }, 'asking for what is indexed failed; asked again soon');
    } finally {
      this.#polling = false;
    }
  }

  async #pollEncoded(waiters: readonly Waiter[]): Promise<void> {
    if (waiters.length === 0) return;
    const { probe } = this.#options;
    const finished = await probe.finishedRevisions(waiters.map(({ revision }) => revision));
    const done = waiters.filter(({ revision }) => finished.has(revision));
    if (done.length === 0) return;
    const sinceMs = Math.min(...done.map(({ queuedAtMs }) => queuedAtMs));
    const reasons = await probe.deadLetterReasons([...finished], sinceMs);
    // an encoder publishes all records before it acknowledges: what it published stands at or before these positions
    const positions = await probe.lastPositions();
    for (const waiter of done) {
      if (!this.#waiters.has(waiter.revision) || waiter.positions !== undefined) continue;
      const reason = reasons.get(waiter.revision);
      if (reason === undefined) this.#awaitPositions(waiter, positions, undefined);
      else waiter.settle(rejection(reason));
    }
  }

  async #pollApplied(): Promise<void> {
    const applied = await this.#options.probe.appliedPositions();
    for (const [shardServer, positions] of applied) this.applied({ shardServer, positions: [...positions] });
    // replicas may have come or gone meanwhile
    for (const waiter of [...this.#waiters.values()])
      for (const partition of [...waiter.missing.keys()]) this.#tick(waiter, partition);
  }

  #onEncoded(waiter: Waiter, notice: EncodedNotice__Output): void {
    if (notice.rejected !== null) waiter.settle(rejection(notice.rejected));
    else this.#awaitPositions(waiter, notice.positions, notice.images);
  }

  #awaitPositions(
    waiter: Waiter,
    positions: readonly PartitionPosition__Output[],
    images: number | undefined,
  ): void {
    waiter.positions = positions;
    waiter.images = images;
    for (const { partition, streamSequence } of positions) {
      waiter.missing.set(partition, streamSequence);
      let ofPartition = this.#waitersOfPartition.get(partition);
      if (ofPartition === undefined) this.#waitersOfPartition.set(partition, (ofPartition = new Set()));
      ofPartition.add(waiter);
    }
    if (positions.length === 0) waiter.settle({ positions, images });
    for (const { partition } of positions) this.#tick(waiter, partition);
  }

  #tick(waiter: Waiter, partition: number): void {
    const sequence = waiter.missing.get(partition);
    if (sequence === undefined || !this.#isApplied(partition, sequence)) return;
    waiter.missing.delete(partition);
    this.#waitersOfPartition.get(partition)?.delete(waiter);
    if (waiter.missing.size === 0)
      waiter.settle({ positions: waiter.positions ?? [], images: waiter.images });
  }

  /** On every live replica, and on one at least. */
  #isApplied(partition: number, sequence: number): boolean {
    const replicas = this.#options.replicasOf(partition);
    return (
      replicas.length > 0 &&
      replicas.every((replica) => (this.#applied.get(replica)?.get(partition) ?? 0) >= sequence)
    );
  }

  #forget(waiter: Waiter): void {
    this.#waiters.delete(waiter.revision);
    for (const partition of waiter.missing.keys()) this.#waitersOfPartition.get(partition)?.delete(waiter);
  }
}

function rejection({ code, message, retryAfterMs }: ErrorDetail__Output): KinscanError {
  return new KinscanError(
    isErrorCode(code) ? code : 'INTERNAL',
    message,
    retryAfterMs > 0 ? { retryAfterMs } : {},
  );
}
