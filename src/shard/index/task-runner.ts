import { assert } from '../../core/errors.js';
import { PARAM_NUMBERS, unpackRules } from './query-params.js';
import { searchSegments } from './search-segments.js';
import {
  SNAPSHOT_NUMBERS,
  type SearchTask,
  type SearchTaskResult,
  type SearchWorkerData,
} from './search-task.js';
import { SegmentReader, type PreparedQuery, type SegmentView } from './segment-reader.js';

export const NOTHING: SearchTaskResult = {
  missing: false,
  counts: new Uint32Array(0),
  entries: new Uint8Array(0),
  visited: 0,
  elapsedMs: 0,
};

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
      views.push({
        reader,
        s: reader.scratch(task.slot),
        filter: reader.filter(task.slot),
        deltaCount,
        tombstones,
      });
    }
    return views;
  }
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
