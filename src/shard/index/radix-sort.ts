import { scratchWords } from './scratch-words.js';

const DIGITS: readonly { readonly shift: number; readonly mask: number }[] = [
  { shift: 0, mask: 0x7ff },
  { shift: 11, mask: 0x7ff },
  { shift: 22, mask: 0x3ff },
];

/** The unsigned key of row r is words[first + r * stride]. */
export interface KeyColumn {
  readonly words: Uint32Array;
  readonly first: number;
  readonly stride: number;
}

/**
 * Sorts row numbers by 32-bit keys, stably: equal keys keep their order. Least significant digit first, so that sorting
 * by the least important key, then the next, sorts by all of them. Digits in which all keys agree cost one pass.
 * @param order row numbers; sorted in place
 * @param keys where the keys lie
 */
export function sortByKey(order: Uint32Array, { words, first, stride }: KeyColumn): void {
  const { length } = order;
  let rows: Uint32Array = order;
  let keys = scratchWords('keys', length);
  let sorted = true;
  for (let i = 0; i < length; i++) {
    keys[i] = words[first + (rows[i] as number) * stride] as number;
    sorted &&= i === 0 || (keys[i - 1] as number) <= (keys[i] as number);
  }
  if (sorted) return;
  let otherRows = scratchWords('other rows', length);
  let otherKeys = scratchWords('other keys', length);
  for (const { shift, mask } of DIGITS) {
    const next = new Uint32Array(mask + 1);
    for (let i = 0; i < length; i++) count(next, ((keys[i] as number) >>> shift) & mask);
    if (next[((keys[0] as number) >>> shift) & mask] === length) continue;
    for (let digit = 0, sum = 0; digit <= mask; digit++) {
      const here = next[digit] as number;
      next[digit] = sum;
      sum += here;
    }
    for (let i = 0; i < length; i++) {
      const key = keys[i] as number;
      const to = count(next, (key >>> shift) & mask);
      otherKeys[to] = key;
      otherRows[to] = rows[i] as number;
    }
    [rows, otherRows] = [otherRows, rows];
    [keys, otherKeys] = [otherKeys, keys];
  }
  if (rows !== order) order.set(rows);
}

// counts[i]++, the value before
function count(counts: Uint32Array, i: number): number {
  const before = counts[i] as number;
  counts[i] = before + 1;
  return before;
}
