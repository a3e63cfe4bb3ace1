import type { RowColumns } from './row-block.js';

/** Rows of one bucket: sorting so many takes well under a millisecond. */
const BUCKET_ROWS = 512;

/**
 * The tie keys of rows as 32-bit words, low word first: comparing these is far cheaper than 64-bit BigInts. A view where
 * they lie at a whole word, else a copy.
 */
export function tieKeyWords(rows: RowColumns): Uint32Array {
  const { buffer, byteOffset } = rows.tieKeys;
  if (byteOffset % 4 === 0) return new Uint32Array(buffer, byteOffset, rows.count * 2);
  const words = new Uint32Array(rows.count * 2);
  new Uint8Array(words.buffer).set(rows.tieKeys);
  return words;
}

/**
 * Rows in the order of their tie keys, equal ones in the order in which they came.
 *
 * Tie keys are hashes, so they are spread evenly: a counting sort by their high words gives buckets of a few hundred
 * rows, and a bucket is sorted when it is first reached. So no call takes long, however many rows there are.
 */
export class TieKeyOrder {
  readonly #words: Uint32Array;
  readonly #order: Uint32Array;
  readonly #starts: Uint32Array;
  #sortedBuckets = 0;

  constructor(words: Uint32Array) {
    const count = words.length / 2;
    let low = 0xffff_ffff;
    let high = 0;
    for (let row = 0; row < count; row++) {
      const word = words[row * 2 + 1] as number;
      if (word < low) low = word;
      if (word > high) high = word;
    }
    const buckets = Math.max(1, Math.ceil(count / BUCKET_ROWS));
    const scale = buckets / (high - low + 1);
    const bucketOf = (row: number) => Math.floor(((words[row * 2 + 1] as number) - low) * scale);
    this.#words = words;
    this.#order = new Uint32Array(count);
    this.#starts = new Uint32Array(buckets + 1);
    for (let row = 0; row < count; row++) (this.#starts[bucketOf(row) + 1] as number)++;
    for (let bucket = 0; bucket < buckets; bucket++) {
      this.#starts[bucket + 1] = (this.#starts[bucket + 1] as number) + (this.#starts[bucket] as number);
    }
    const next = this.#starts.slice();
    for (let row = 0; row < count; row++) {
      const bucket = bucketOf(row);
      const place = next[bucket] as number;
      next[bucket] = place + 1;
      this.#order[place] = row;
    }
  }

  get length(): number {
    return this.#order.length;
  }

  /** The row at a place, places ascending from call to call. */
  at(place: number): number {
    while (
      place >= (this.#starts[this.#sortedBuckets] as number) &&
      this.#sortedBuckets < this.#starts.length - 1
    ) {
      const from = this.#starts[this.#sortedBuckets] as number;
      const to = this.#starts[++this.#sortedBuckets] as number;
      const words = this.#words;
      this.#order
        .subarray(from, to)
        .sort(
          (a, b) =>
            (words[a * 2 + 1] as number) - (words[b * 2 + 1] as number) ||
            (words[a * 2] as number) - (words[b * 2] as number) ||
            a - b,
        );
    }
    return this.#order[place] as number;
  }
}
