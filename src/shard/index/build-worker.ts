import { buildSegment } from './build-segment.js';
import type { SegmentLayout } from './segment-layout.js';

export interface BuildTask {
  readonly layout: SegmentLayout;
  readonly source: WebAssembly.Memory;
  readonly deltaCount: number;
  readonly deadBits: Uint32Array;
  readonly target: WebAssembly.Memory;
  readonly deltaCapacityMin: number;
  readonly tombstoneCapacityMin: number;
  readonly attributeCapacityMin: number;
  readonly deltaRowsMin: number;
  readonly tableCodesMin: number;
}

export interface BuildResult {
  readonly layout: SegmentLayout | undefined;
  /** Why the segment could not be built, where it could not. */
  readonly failure: string | undefined;
}

/** The task of the build thread (Piscina calls the default export). */
export default function runBuildTask(task: BuildTask): BuildResult {
  try {
    const layout = buildSegment({
      source: {
        layout: task.layout,
        words: new Uint32Array(task.source.buffer),
        deltaCount: task.deltaCount,
        deadBits: task.deadBits,
      },
      memory: task.target,
      deltaCapacityMin: task.deltaCapacityMin,
      tombstoneCapacityMin: task.tombstoneCapacityMin,
      attributeCapacityMin: task.attributeCapacityMin,
      deltaRowsMin: task.deltaRowsMin,
      tableCodesMin: task.tableCodesMin,
    });
    return { layout, failure: undefined };
  } catch (thrown) {
    return { layout: undefined, failure: String(thrown) };
  }
}
