import type { IndexChange, PackedRows, PartitionStats } from './index-api.js';
import type { SegmentShape } from './segment-layout.js';
import { Segment, type SegmentSnapshot } from './segment.js';

/** Rows that fit behind those of a new segment. */
const SPARE_ROWS_MIN = 16_384;

export interface PartitionIndexOptions {
  readonly partition: number;
  readonly codeBits: number;
  readonly fineCodeBits: number;
  readonly slots: number;
  /** A number never given before, for a new segment. */
  readonly nextSegmentId: () => number;
  /** Called after the partition has moved to another segment. */
  readonly onSegmentReplaced: () => void;
}

/** One partition: the segment that is current, and its growth. */
export class PartitionIndex {
  readonly #options: PartitionIndexOptions;
  #segment: Segment;
  #rebuilds = 0;

  constructor(options: PartitionIndexOptions, rows: PackedRows) {
    this.#options = options;
    this.#segment = this.#newSegment(rows.count);
    this.#segment.appendPacked(rows);
  }

  snapshot(): SegmentSnapshot {
    return this.#segment.snapshot();
  }

  get segmentId(): number {
    return this.#segment.id;
  }

  apply(changes: readonly IndexChange[]): Promise<void> {
    const adds = changes.filter((change) => change.kind === 'add').length;
    if (!this.#segment.hasRoomFor(adds, changes.length - adds)) this.#grow(adds);
    this.#segment.commit(this.#segment.plan(changes));
    return Promise.resolve();
  }

  stats(): PartitionStats {
    const { layout, deltaCount, tombstones, liveRows } = this.#segment;
    const rowBytes = (layout.codeWords + layout.fineWords + 1) * 8;
    return {
      partition: this.#options.partition,
      rows: liveRows,
      distinctCodes: layout.groups,
      deltaRows: deltaCount,
      deadRows: tombstones,
      usedBytes: layout.deadBits - layout.codes + deltaCount * rowBytes + tombstones * 4,
      reservedBytes: layout.byteLength,
      rebuilds: this.#rebuilds,
    };
  }

  #newSegment(rows: number): Segment {
    const { codeBits, fineCodeBits, slots } = this.#options;
    const shape: SegmentShape = {
      codeBits,
      fineCodeBits,
      baseRows: 0,
      groups: 0,
      grouped: false,
      deltaCapacity: rows + Math.max(SPARE_ROWS_MIN, rows >> 2),
      tombstoneCapacity: Math.max(SPARE_ROWS_MIN, rows >> 2),
      slots,
    };
    return new Segment(this.#options.nextSegmentId(), shape);
  }

  // Copies what is alive to a larger segment.
  #grow(adds: number): void {
    const old = this.#segment;
    const { codeWords, fineWords, deltaCodes, deltaTieKeys, deltaFines } = old.layout;
    const alive: number[] = [];
    for (let row = 0; row < old.deltaCount; row++) if (!old.isDead(row)) alive.push(row);
    const next = this.#newSegment(alive.length + adds);
    const column = (at: number, stride: number): Uint8Array => {
      const packed = new Uint8Array(alive.length * stride);
      alive.forEach((row, i) =>
        packed.set(old.bytes.subarray(at + row * stride, at + (row + 1) * stride), i * stride),
      );
      return packed;
    };
    next.appendPacked({
      count: alive.length,
      codes: column(deltaCodes, codeWords * 8),
      tieKeys: new BigUint64Array(column(deltaTieKeys, 8).buffer),
      fineCodes: column(deltaFines, fineWords * 8),
    });
    this.#segment = next;
    this.#rebuilds++;
    this.#options.onSegmentReplaced();
  }
}
