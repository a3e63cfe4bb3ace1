import type { AllowedSets } from './allowed-sets.js';
import type { ProbeMode } from './probe-plan.js';
import type { SegmentLayout } from './segment-layout.js';

/** A segment as a worker needs it the first time. */
export interface SegmentDescriptor {
  readonly partition: number;
  readonly segmentId: number;
  readonly layout: SegmentLayout;
  readonly memory: WebAssembly.Memory;
}

/** Numbers per snapshot in SearchTask.snapshots. */
export const SNAPSHOT_NUMBERS = 4;

/**
 * Several queries over the same snapshots, for one thread. Flat arrays, because cloning many small objects to a thread
 * costs more than a small search.
 */
export interface SearchTask {
  readonly kind: 'search';
  /** Which scratch of every segment this task may write. */
  readonly slot: number;
  /** (partition, segmentId, deltaCount, tombstones) per partition */
  readonly snapshots: Uint32Array;
  /** PARAM_NUMBERS per query (query-params.ts) */
  readonly params: Uint32Array;
  /** codeWords x 8 bytes per query, zero-padded */
  readonly codes: Uint8Array;
  /** fineWords x 8 bytes per query, zero-padded */
  readonly fineCodes: Uint8Array;
  readonly filters: readonly AllowedSets[];
  /** Only after a worker said that it lacks one: the segments of the snapshots. */
  readonly segments: readonly SegmentDescriptor[];
}

/** Runs on every thread at once (each waits for the others, so none takes two): warms the kernel up. */
export interface WarmUpTask {
  readonly kind: 'warmUp';
  /** [0]: threads that have arrived */
  readonly arrived: Int32Array;
  readonly threads: number;
}

export type IndexTask = SearchTask | WarmUpTask;

export interface SearchTaskResult {
  /** The worker does not know a segment: send the task again with `segments`. */
  readonly missing: boolean;
  /** Answers per query. */
  readonly counts: Uint32Array;
  /** Per answer 16 bytes: rank u32 = distance << 16 | fineDistance, partition u32, tieKey u64; canonical order. */
  readonly entries: Uint8Array;
  /** Codes compared with the queries, all queries together. */
  readonly visited: number;
  /** What the queries took on the thread, milliseconds. */
  readonly elapsedMs: number;
}

/** What a search worker gets at its start. */
export interface SearchWorkerData {
  readonly kernel: WebAssembly.Module;
  readonly codeBits: number;
  readonly fineCodeBits: number;
  readonly probe: ProbeMode;
}
