import { hammingDistance } from '../../../src/core/code.js';
import { compareRanked, type Ranked } from '../../../src/core/ranking.js';
import type {
  IndexFilter,
  IndexHits,
  IndexQuery,
  IndexRow,
  PackedRows,
} from '../../../src/shard/index/index-api.js';

/** An answer as the tests compare it. */
export interface Answer extends Ranked {
  readonly partition: number;
}

/** The index that cannot be wrong: arrays of rows, and a full sort per query. */
export class ReferenceIndex {
  readonly #partitions = new Map<number, IndexRow[]>();

  load(partition: number, rows: readonly IndexRow[]): void {
    this.#partitions.set(partition, [...rows]);
  }

  add(partition: number, row: IndexRow): void {
    this.rows(partition).push(row);
  }

  remove(partition: number, row: IndexRow): void {
    const rows = this.rows(partition);
    const at = rows.findIndex((other) => {
      return (
        other.tieKey === row.tieKey &&
        other.attributes === row.attributes &&
        equal(other.code, row.code) &&
        equal(other.fineCode, row.fineCode)
      );
    });
    if (at < 0) throw new Error('the reference does not have this row');
    rows.splice(at, 1);
  }

  rows(partition: number): IndexRow[] {
    const rows = this.#partitions.get(partition);
    if (rows === undefined) throw new Error(`no partition ${partition}`);
    return rows;
  }

  search(query: IndexQuery): Answer[] {
    const fineCode = query.ranking === 'FINE' ? query.fineCode : undefined;
    const answers: Answer[] = [];
    for (const partition of query.partitions) {
      for (const row of this.rows(partition)) {
        const distance = hammingDistance(row.code, query.code);
        if (distance > (query.maxDistance ?? Infinity)) continue;
        const fineDistance = fineCode === undefined ? 0 : hammingDistance(row.fineCode, fineCode);
        const answer = { partition, distance, fineDistance, tieKey: row.tieKey };
        if (!isAllowed(row, query.filter)) continue;
        if (query.after !== undefined && compareRanked(answer, query.after) < 0) continue;
        answers.push(answer);
      }
    }
    return answers.sort((a, b) => compareRanked(a, b) || a.partition - b.partition).slice(0, query.k);
  }
}

function isAllowed({ attributes }: IndexRow, filter: IndexFilter | undefined): boolean {
  if (filter === undefined) return true;
  const word = filter.allowed[Math.floor(attributes / 32)] ?? 0;
  return attributes < filter.sets && (word & (1 << (attributes % 32))) !== 0;
}

export function answersOf(hits: IndexHits): Answer[] {
  return Array.from({ length: hits.count }, (_, i) => ({
    partition: hits.partitions[i] as number,
    distance: hits.distances[i] as number,
    fineDistance: hits.fineDistances[i] as number,
    tieKey: hits.tieKeys[i] as bigint,
  }));
}

export function packRows(rows: readonly IndexRow[]): PackedRows {
  return {
    count: rows.length,
    codes: concat(rows.map((row) => row.code)),
    tieKeys: BigUint64Array.from(rows.map((row) => row.tieKey)),
    fineCodes: concat(rows.map((row) => row.fineCode)),
    attributes: Uint32Array.from(rows.map((row) => row.attributes)),
  };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
