import fc from 'fast-check';
import type { HitList } from '../../src/core/hit-list.js';

/** One hit as an object, for tests. */
export interface HitRow {
  readonly distance: number;
  readonly fineDistance: number;
  readonly tieKey: bigint;
  readonly imageId: string;
}

/** Hits with many ties at every level of the canonical order. */
export const hitRow: fc.Arbitrary<HitRow> = fc.record({
  distance: fc.integer({ min: 0, max: 3 }),
  fineDistance: fc.integer({ min: 0, max: 2 }),
  tieKey: fc.oneof(fc.bigInt({ min: 0n, max: 3n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  imageId: fc.string({ maxLength: 6, unit: 'grapheme' }),
});

export function hitListOf(rows: readonly HitRow[]): HitList {
  return {
    count: rows.length,
    distances: Uint16Array.from(rows, (row) => row.distance),
    fineDistances: Uint16Array.from(rows, (row) => row.fineDistance),
    tieKeys: BigUint64Array.from(rows, (row) => row.tieKey),
    imageIds: rows.map((row) => row.imageId),
  };
}

/** The canonical order by its definition, written apart from the code under test. */
export function inCanonicalOrder(rows: readonly HitRow[]): HitRow[] {
  return [...rows].sort(
    (a, b) =>
      a.distance - b.distance ||
      a.fineDistance - b.fineDistance ||
      (a.tieKey < b.tieKey ? -1 : a.tieKey > b.tieKey ? 1 : 0) ||
      Buffer.from(a.imageId).compare(Buffer.from(b.imageId)),
  );
}
