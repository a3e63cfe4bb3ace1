import type { TieGroup } from '../core/metrics-ties.js';
import { hammingDistancesTo, type PackedCodes } from '../core/packed-codes.js';
import { tieKeyOf } from '../core/tie-key.js';

/** The first results of one query. */
export interface Ranking {
  /** Gallery rows, nearest first, shape [at most top]. */
  readonly rows: Int32Array;
  /** The whole gallery as groups of equal distance, nearest first, with the number of relevant items in each. */
  readonly groups: readonly TieGroup[];
}

/**
 * The canonical order among ties: (tie key, id), ascending. A gallery held in this order needs no further sorting: a
 * stable counting sort by distance gives (distance, tie key, id).
 * @returns positions in `imageIds`
 */
export function canonicalTieOrder(imageIds: readonly string[]): number[] {
  const keys = imageIds.map(tieKeyOf);
  const order = imageIds.map((_, row) => row);
  return order.sort((a, b) => {
    const [keyA, keyB] = [keys[a] as bigint, keys[b] as bigint];
    if (keyA !== keyB) return keyA < keyB ? -1 : 1;
    return Buffer.compare(Buffer.from(imageIds[a] as string), Buffer.from(imageIds[b] as string));
  });
}

/**
 * Ranks a gallery by Hamming distance, exactly, one query at a time: one pass for the distances, one to count them,
 * one to place the first `top` (counting sort). Work per query is O(gallery), without a comparison sort.
 */
export class ExactRanker {
  readonly #gallery: PackedCodes;
  readonly #labels: Int32Array;
  readonly #distances: Uint16Array;

  /**
   * @param gallery codes in canonical tie order
   * @param labels class of each gallery row, shape [gallery.count]
   */
  constructor(gallery: PackedCodes, labels: Int32Array) {
    this.#gallery = gallery;
    this.#labels = labels;
    this.#distances = new Uint16Array(gallery.count);
  }

  /** @param label the query's class: gallery rows of the same class are relevant */
  rank(queries: PackedCodes, queryRow: number, label: number, top: number): Ranking {
    hammingDistancesTo(queries, queryRow, this.#gallery, this.#distances);
    return rankByDistance(this.#distances, this.#gallery.codeBits, this.#labels, label, top);
  }
}

/** As ExactRanker, by (distance of codes, distance of fine codes): the ranking FINE. */
export class ExactFineRanker {
  readonly #gallery: PackedCodes;
  readonly #fineGallery: PackedCodes;
  readonly #labels: Int32Array;
  readonly #code: Uint16Array;
  readonly #fine: Uint16Array;
  readonly #combined: Uint32Array;

  /** @param fineGallery fine codes of the same rows */
  constructor(gallery: PackedCodes, fineGallery: PackedCodes, labels: Int32Array) {
    this.#gallery = gallery;
    this.#fineGallery = fineGallery;
    this.#labels = labels;
    this.#code = new Uint16Array(gallery.count);
    this.#fine = new Uint16Array(gallery.count);
    this.#combined = new Uint32Array(gallery.count);
  }

  rank(
    queries: PackedCodes,
    fineQueries: PackedCodes,
    queryRow: number,
    label: number,
    top: number,
  ): Ranking {
    hammingDistancesTo(queries, queryRow, this.#gallery, this.#code);
    hammingDistancesTo(fineQueries, queryRow, this.#fineGallery, this.#fine);
    const span = this.#fineGallery.codeBits + 1;
    this.#combined.forEach((_, row) => {
      this.#combined[row] = (this.#code[row] as number) * span + (this.#fine[row] as number);
    });
    return rankByDistance(this.#combined, this.#gallery.codeBits * span + span - 1, this.#labels, label, top);
  }
}

/** @param distances whole numbers, 0 to distanceMax, of each gallery row in canonical tie order */
function rankByDistance(
  distances: ArrayLike<number>,
  distanceMax: number,
  labels: Int32Array,
  label: number,
  top: number,
): Ranking {
  const totals = new Int32Array(distanceMax + 1);
  const relevants = new Int32Array(distanceMax + 1);
  for (let row = 0; row < distances.length; row++) {
    const distance = distances[row] as number;
    totals[distance] = (totals[distance] as number) + 1;
    if (labels[row] === label) relevants[distance] = (relevants[distance] as number) + 1;
  }
  const groups: TieGroup[] = [];
  totals.forEach((total, distance) => {
    if (total > 0) groups.push({ total, relevant: relevants[distance] as number });
  });
  return { rows: place(distances, totals, top), groups };
}

/** Counting sort of the rows whose distance can still be among the first `top`. */
function place(distances: ArrayLike<number>, totals: Int32Array, top: number): Int32Array {
  const next = new Int32Array(totals.length);
  let start = 0;
  let lastDistance = 0;
  for (let distance = 0; distance < totals.length && start < top; distance++) {
    next[distance] = start;
    start += totals[distance] as number;
    lastDistance = distance;
  }
  const rows = new Int32Array(Math.min(top, distances.length));
  for (let row = 0; row < distances.length; row++) {
    const distance = distances[row] as number;
    if (distance > lastDistance) continue;
    const at = next[distance] as number;
    if (at < rows.length) rows[at] = row;
    next[distance] = at + 1;
  }
  return rows;
}
