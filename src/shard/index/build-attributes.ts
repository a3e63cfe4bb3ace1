import { baseAttributes } from './base-lookup.js';
import type { FrozenSegment } from './merge-order.js';
import { sortByKey } from './radix-sort.js';
import type { SegmentLayout } from './segment-layout.js';

/** The attribute sets of a base's rows, both ways: from row to set, and from set to rows. */
export interface SortedAttributes {
  /** The number of each row's set. */
  readonly byRow: Uint32Array;
  /** Rows ascending by (set, row). */
  readonly order: Uint32Array;
  /** The sets that occur, ascending. */
  readonly numbers: Uint32Array;
  /** Where each of them begins in `order`, and the end. */
  readonly starts: Uint32Array;
}

/**
 * @param order the rows of `source` that make the new base
 * @returns undefined where no row has a set other than 0: the base needs no columns then
 */
export function attributesOf(source: FrozenSegment, order: Uint32Array): SortedAttributes | undefined {
  const { layout, words } = source;
  let hasAny = false;
  const byRow = order.map((row) => {
    const set =
      row < layout.baseRows
        ? baseAttributes(source, row)
        : (words[layout.deltaAttributes / 4 + row - layout.baseRows] as number);
    hasAny ||= set !== 0;
    return set;
  });
  return hasAny ? sorted(byRow) : undefined;
}

function sorted(byRow: Uint32Array): SortedAttributes {
  const order = byRow.map((_, row) => row);
  sortByKey(order, { words: byRow, first: 0, stride: 1 });
  const numbers = new Uint32Array(byRow.length);
  const starts = new Uint32Array(byRow.length + 1);
  let sets = 0;
  for (let i = 0; i < order.length; i++) {
    const set = byRow[order[i] as number] as number;
    if (sets > 0 && numbers[sets - 1] === set) continue;
    numbers[sets] = set;
    starts[sets++] = i;
  }
  starts[sets] = order.length;
  return { byRow, order, numbers: numbers.subarray(0, sets), starts: starts.subarray(0, sets + 1) };
}

export function writeAttributes(
  { byRow, order, numbers, starts }: SortedAttributes,
  layout: SegmentLayout,
  words: Uint32Array,
): void {
  words.set(byRow, layout.attributes / 4);
  words.set(order, layout.attributeOrder / 4);
  words.set(numbers, layout.attributeNumbers / 4);
  words.set(starts, layout.attributeStarts / 4);
}
