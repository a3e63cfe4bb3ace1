const FREED = -1;

/**
 * Finds delta rows by tie key: open addressing over row numbers, on the main thread only.
 * A slot holds row + 1, 0 where it never held one, -1 where its row was removed (so that probing goes on past it and a
 * new row may take it: an image upserted a thousand times does not lengthen its chain).
 */
export class DeltaLookup {
  readonly #slots: Int32Array;
  readonly #mask: number;

  /** @param capacity rows at most; the table is kept at least half empty */
  constructor(capacity: number) {
    const length = 2 ** Math.ceil(Math.log2(Math.max(16, capacity * 2)));
    this.#slots = new Int32Array(length);
    this.#mask = length - 1;
  }

  /** @param tieKeyLow the low 32 bits of a tie key, which is a good hash already */
  add(tieKeyLow: number, row: number): void {
    let at = tieKeyLow & this.#mask;
    while ((this.#slots[at] as number) > 0) at = (at + 1) & this.#mask;
    this.#slots[at] = row + 1;
  }

  /** The first row under this key that `matches` accepts; undefined where there is none. */
  find(tieKeyLow: number, matches: (row: number) => boolean): number | undefined {
    for (let at = tieKeyLow & this.#mask; ; at = (at + 1) & this.#mask) {
      const slot = this.#slots[at] as number;
      if (slot === 0) return undefined;
      if (slot > 0 && matches(slot - 1)) return slot - 1;
    }
  }

  remove(tieKeyLow: number, row: number): void {
    let at = tieKeyLow & this.#mask;
    while (this.#slots[at] !== row + 1) {
      if (this.#slots[at] === 0) return;
      at = (at + 1) & this.#mask;
    }
    this.#slots[at] = FREED;
  }
}
