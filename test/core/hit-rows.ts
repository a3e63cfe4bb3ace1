import fc from 'fast-check';
import { GROUP_KEY_BYTES, type HitList } from '../../src/core/hit-list.js';

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

/** A hit that belongs to one of few groups; group 0: to one of its own. */
export interface GroupedRow extends HitRow {
  readonly group: number;
}

export const groupedRow: fc.Arbitrary<GroupedRow> = fc
  .tuple(hitRow, fc.nat({ max: 6 }))
  .map(([row, group]) => ({ ...row, group }));

/**
 * Up to 60 rows, each on one of several shard servers and each with an id of its own: an image lies on one shard server
 * only. Of two rows with one id the canonical order says nothing.
 */
export function rowsOnServers<Row extends HitRow>(
  row: fc.Arbitrary<Row>,
  servers: number,
): fc.Arbitrary<[row: Row, server: number][]> {
  return fc.uniqueArray(fc.tuple(row, fc.nat({ max: servers - 1 })), {
    maxLength: 60,
    selector: ([{ imageId }]) => imageId,
  });
}

export function groupedHitListOf(rows: readonly GroupedRow[]): HitList {
  const groupKeys = new Uint8Array(rows.length * GROUP_KEY_BYTES);
  rows.forEach(({ group }, i) => groupKeys.fill(group, i * GROUP_KEY_BYTES, (i + 1) * GROUP_KEY_BYTES));
  return { ...hitListOf(rows), groupKeys };
}

/** Of rows in canonical order the first k groups, each by its first row. */
export function firstOfGroups(ordered: readonly GroupedRow[], k: number): GroupedRow[] {
  return ordered
    .filter(({ group }, i) => group === 0 || ordered.findIndex((other) => other.group === group) === i)
    .slice(0, k);
}

/** The canonical order by its definition, written apart from the code under test. */
export function inCanonicalOrder<Row extends HitRow>(rows: readonly Row[]): Row[] {
  return [...rows].sort(
    (a, b) =>
      a.distance - b.distance ||
      a.fineDistance - b.fineDistance ||
      (a.tieKey < b.tieKey ? -1 : a.tieKey > b.tieKey ? 1 : 0) ||
      Buffer.from(a.imageId).compare(Buffer.from(b.imageId)),
  );
}
