import { assert } from '../../core/errors.js';
import { PARAM_NUMBERS, unpackRules } from './query-params.js';
import { searchSegments } from './search-segments.js';
import {
  SNAPSHOT_NUMBERS,
  type SegmentDescriptor,
  type SearchTask,
  type SearchTaskResult,
  type SearchWorkerData,
} from './search-task.js';
import type { Segment, SegmentSnapshot } from './segment.js';
import { SegmentReader, type PreparedQuery, type SegmentView } from './segment-reader.js';

export const NOTHING: SearchTaskResult = {
  missing: false,
  counts: new Uint32Array(0),
  entries: new Uint8Array(0),
  visited: 0,
  elapsedMs: 0,
};

/** A partition, and its segment as a search sees it. */
export interface SnapshotOf {
  readonly partition: number;
  readonly snapshot: SegmentSnapshot;
}

/** Runs search tasks with kernels of its own: one on each search thread, and one on the main thread for small tasks. */
export class TaskRunner {
  readonly #data: SearchWorkerData;
  /** The newest segment of each partition that it was told of; an older one is never read again. */
  readonly #readers = new Map<number, SegmentReader>();

  constructor(data: SearchWorkerData) {
    this.#data = data;
  }

  run(task: SearchTask): SearchTaskResult {
    for (const descriptor of task.segments) {
      this.#readers.set(descriptor.partition, new SegmentReader(this.#data.kernel, descriptor));
    }
    const views = this.#openViews(task);
    if (views === undefined) return { ...NOTHING, missing: true };
    const startedMs = performance.now();
    const queries = task.params.length / PARAM_NUMBERS;
    const counts = new Uint32Array(queries);
    const parts: Uint8Array[] = [];
    let visited = 0;
    for (let i = 0; i < queries; i++) {
      const answer = searchSegments(views, queryAt(task, i, queries), this.#data.probe);
      counts[i] = answer.entries.length / 16;
      parts.push(answer.entries);
      visited += answer.visited;
    }
    const entries = parts.length === 1 ? (parts[0] as Uint8Array) : joined(parts);
    return { missing: false, counts, entries, visited, elapsedMs: performance.now() - startedMs };
  }

  /** One query on the thread that holds the segments: packing it into a task takes longer than many a search. */
  runOne(
    query: PreparedQuery,
    snapshots: readonly SnapshotOf[],
    slot: number,
  ): { readonly entries: Uint8Array; readonly elapsedMs: number } {
    const views = snapshots.map(({ partition, snapshot: { segment, deltaCount, tombstones } }) => {
      let reader = this.#readers.get(partition);
      if (reader?.segmentId !== segment.id) {
        reader = new SegmentReader(this.#data.kernel, descriptorOf(partition, segment));
        this.#readers.set(partition, reader);
      }
      return viewOf(reader, slot, deltaCount, tombstones);
    });
    const startedMs = performance.now();
    const { entries } = searchSegments(views, query, this.#data.probe);
    return { entries, elapsedMs: performance.now() - startedMs };
  }

  #openViews(task: SearchTask): SegmentView[] | undefined {
    const views: SegmentView[] = [];
    for (let at = 0; at < task.snapshots.length; at += SNAPSHOT_NUMBERS) {
      const [partition, segmentId, deltaCount, tombstones] = task.snapshots.subarray(
        at,
        at + SNAPSHOT_NUMBERS,
      );
      assert(
        partition !== undefined && deltaCount !== undefined && tombstones !== undefined,
        'a snapshot is whole',
      );
      const reader = this.#readers.get(partition);
      if (reader === undefined || reader.segmentId !== segmentId) return undefined;
      views.push(viewOf(reader, task.slot, deltaCount, tombstones));
    }
    return views;
  }
}

/** What a search thread is told of a segment that it does not know. */
export function descriptorOf(partition: number, segment: Segment): SegmentDescriptor {
  return { partition, segmentId: segment.id, layout: segment.layout, memory: segment.memory };
}

function viewOf(reader: SegmentReader, slot: number, deltaCount: number, tombstones: number): SegmentView {
  return { reader, s: reader.scratch(slot), filter: reader.filter(slot), deltaCount, tombstones };
}

function queryAt(task: SearchTask, i: number, queries: number): PreparedQuery {
  const params = task.params.subarray(i * PARAM_NUMBERS, (i + 1) * PARAM_NUMBERS);
  const codeBytes = task.codes.length / queries;
  const fineBytes = task.fineCodes.length / queries;
  return {
    ...unpackRules(params, task.filters),
    code: task.codes.subarray(i * codeBytes, (i + 1) * codeBytes),
    fineCode: task.fineCodes.subarray(i * fineBytes, (i + 1) * fineBytes),
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
