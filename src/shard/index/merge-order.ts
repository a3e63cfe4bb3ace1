import type { SegmentLayout } from './segment-layout.js';
import { sortByKey } from './radix-sort.js';
import { scratchWords } from './scratch-words.js';

/** A segment as it was at one moment, for the thread that rebuilds it. */
export interface FrozenSegment {
  readonly layout: SegmentLayout;
  readonly words: Uint32Array;
  readonly deltaCount: number;
  /** The dead bits at that moment; the segment's own may have moved on. */
  readonly deadBits: Uint32Array;
}

/** The live rows of a segment in the order of a base, and where its codes begin. */
export interface MergedOrder {
  /** Row numbers of the source, ascending by (code, tieKey). */
  readonly order: Uint32Array;
  /** Positions in `order` where a code begins that the row before does not have. */
  readonly starts: Uint32Array;
}

/**
 * Merges the base (sorted already) with the delta (sorted here), leaving out what is dead.
 * Words are compared as unsigned 64-bit numbers, word 0 first; halves are read as u32, which beats BigInt many times.
 * What is returned holds until the next call on this thread.
 */
export function mergeOrder(source: FrozenSegment): MergedOrder {
  return new OrderMerger(source).merge();
}

/** Where the code of a row lies, as an index of `words`; for base rows asked in ascending order. */
export function codeFinder({ layout, words }: FrozenSegment): (row: number) => number {
  const { baseRows, grouped } = layout;
  const stride = layout.codeWords * 2;
  let group = 0;
  return (row) => {
    if (row >= baseRows) return layout.deltaCodes / 4 + (row - baseRows) * stride;
    if (!grouped) group = row;
    else while ((words[layout.starts / 4 + group + 1] as number) <= row) group++;
    return layout.codes / 4 + group * stride;
  };
}

class OrderMerger {
  readonly #source: FrozenSegment;
  readonly #delta: Uint32Array;
  readonly #order: Uint32Array;
  readonly #starts: Uint32Array;
  #deltaNext = 0;
  #rows = 0;
  #codes = 0;
  /** Where the code of the row emitted last lies, as an index of `words`; -1 before the first. */
  #lastCode = -1;

  constructor(source: FrozenSegment) {
    this.#source = source;
    this.#delta = sortedDelta(source);
    const rowsMax = source.layout.baseRows + this.#delta.length;
    this.#order = scratchWords('order', rowsMax);
    this.#starts = scratchWords('starts', rowsMax);
  }

  merge(): MergedOrder {
    const { layout, words } = this.#source;
    for (let group = 0; group < layout.groups; group++) {
      const from = layout.grouped ? (words[layout.starts / 4 + group] as number) : group;
      const to = layout.grouped ? (words[layout.starts / 4 + group + 1] as number) : group + 1;
      this.#mergeGroup(codeAt(layout, group), from, to);
    }
    while (this.#deltaNext < this.#delta.length) this.#emitDelta();
    return { order: this.#order.subarray(0, this.#rows), starts: this.#starts.subarray(0, this.#codes) };
  }

  // Delta rows with this very code and later tie keys stay for the next group: ungrouped, it may have the same code.
  #mergeGroup(code: number, from: number, to: number): void {
    let relation = this.#compareDelta(code);
    while (relation < 0) {
      this.#emitDelta();
      relation = this.#compareDelta(code);
    }
    for (let row = from; row < to; row++) {
      if (this.#isDead(row)) continue;
      while (relation === 0 && this.#deltaKeyIsLess(row)) {
        this.#emitDelta();
        relation = this.#compareDelta(code);
      }
      this.#emit(row, code);
    }
  }

  // The code of the next delta row against the code at word `at`; positive where the delta is at its end.
  #compareDelta(at: number): number {
    if (this.#deltaNext === this.#delta.length) return 1;
    return this.#compareCodes(this.#deltaCode(), at);
  }

  #compareCodes(a: number, b: number): number {
    const { layout, words } = this.#source;
    for (let w = 0; w < layout.codeWords * 2; w += 2) {
      const high = (words[a + w + 1] as number) - (words[b + w + 1] as number);
      if (high !== 0) return high;
      const low = (words[a + w] as number) - (words[b + w] as number);
      if (low !== 0) return low;
    }
    return 0;
  }

  #deltaCode(): number {
    const { layout } = this.#source;
    return layout.deltaCodes / 4 + (this.#delta[this.#deltaNext] as number) * layout.codeWords * 2;
  }

  #deltaKeyIsLess(row: number): boolean {
    const { layout, words } = this.#source;
    const a = layout.deltaTieKeys / 4 + (this.#delta[this.#deltaNext] as number) * 2;
    const b = layout.tieKeys / 4 + row * 2;
    const high = (words[a + 1] as number) - (words[b + 1] as number);
    return high !== 0 ? high < 0 : (words[a] as number) < (words[b] as number);
  }

  #emitDelta(): void {
    const code = this.#deltaCode();
    this.#emit(this.#source.layout.baseRows + (this.#delta[this.#deltaNext] as number), code);
    this.#deltaNext++;
  }

  #emit(row: number, code: number): void {
    if (code !== this.#lastCode && (this.#lastCode < 0 || this.#compareCodes(code, this.#lastCode) !== 0)) {
      this.#starts[this.#codes++] = this.#rows;
    }
    this.#lastCode = code;
    this.#order[this.#rows++] = row;
  }

  #isDead(row: number): boolean {
    return isDead(this.#source, row);
  }
}

function codeAt(layout: SegmentLayout, group: number): number {
  return layout.codes / 4 + group * layout.codeWords * 2;
}

function isDead({ deadBits }: FrozenSegment, row: number): boolean {
  return ((deadBits[row >>> 5] as number) & (1 << (row & 31))) !== 0;
}

// The live delta rows by (code, tieKey), least important key first.
function sortedDelta(source: FrozenSegment): Uint32Array {
  const { layout, words, deltaCount } = source;
  let alive = 0;
  const rows = scratchWords('delta', deltaCount);
  for (let i = 0; i < deltaCount; i++) if (!isDead(source, layout.baseRows + i)) rows[alive++] = i;
  const order = rows.subarray(0, alive);
  sortByTieKey(source, order);
  const stride = layout.codeWords * 2;
  for (let word = 0; word < layout.codeWords; word++) {
    // the last word matters least, and of a word the low half
    const first = layout.deltaCodes / 4 + (layout.codeWords - 1 - word) * 2;
    sortByKey(order, { words, first, stride });
    sortByKey(order, { words, first: first + 1, stride });
  }
  return order;
}

/**
 * Sorts rows by tie key. Stored blobs ascend, and what is new comes at the end (partition-loader.ts): only that needs
 * sorting then, and start-up is spared half of its sort.
 */
function sortByTieKey({ words, layout }: FrozenSegment, order: Uint32Array): void {
  const keys = { words, first: layout.deltaTieKeys / 4 };
  const middle = endOfRun(keys, order, 0);
  if (middle < order.length / 2) return sortByHalves(keys, order);
  const later = order.slice(middle);
  sortByHalves(keys, later);
  // from behind, so that the first run is not written over before it is read
  for (let to = order.length - 1, a = middle - 1, b = later.length - 1; b >= 0; to--) {
    const takesFirst = a >= 0 && isAfter(keys, order[a] as number, later[b] as number);
    order[to] = (takesFirst ? order[a--] : later[b--]) as number;
  }
}

function sortByHalves({ words, first }: TieKeys, order: Uint32Array): void {
  sortByKey(order, { words, first, stride: 2 });
  sortByKey(order, { words, first: first + 1, stride: 2 });
}

interface TieKeys {
  readonly words: Uint32Array;
  /** Where the tie key of row 0 lies. */
  readonly first: number;
}

/** Where the run of ascending tie keys ends that begins at `from`. */
function endOfRun(keys: TieKeys, order: Uint32Array, from: number): number {
  let end = Math.min(from + 1, order.length);
  while (end < order.length && !isAfter(keys, order[end - 1] as number, order[end] as number)) end++;
  return end;
}

/** Whether row a has the greater tie key. */
function isAfter({ words, first }: TieKeys, a: number, b: number): boolean {
  const high = (words[first + a * 2 + 1] as number) - (words[first + b * 2 + 1] as number);
  return high > 0 || (high === 0 && (words[first + a * 2] as number) > (words[first + b * 2] as number));
}
