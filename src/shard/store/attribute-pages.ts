import { assert, KinscanError } from '../../core/errors.js';
import { ATTRIBUTE_SET_BYTES } from '../attributes/attribute-set.js';
import type { AttributeTable } from '../attributes/attribute-table.js';

/** Attribute sets stored under one key: few enough that writing the last page again costs little, 7.4 KB. */
export const SETS_PER_PAGE = 64;
const SET_WORDS = ATTRIBUTE_SET_BYTES / 4;

/** The packed sets number page x 64 and following, end to end; only the last page is not full. */
export interface AttributePage {
  readonly page: number;
  readonly sets: Buffer;
}

/** The pages that hold the sets from number `first` on. */
export function attributePages(table: AttributeTable, first: number): AttributePage[] {
  const pages: AttributePage[] = [];
  if (first >= table.size) return pages;
  for (let page = Math.floor(first / SETS_PER_PAGE); page * SETS_PER_PAGE < table.size; page++) {
    const from = page * SETS_PER_PAGE;
    const count = Math.min(SETS_PER_PAGE, table.size - from);
    pages.push({
      page,
      sets: Buffer.concat(Array.from({ length: count }, (_, i) => table.packed(from + i))),
    });
  }
  return pages;
}

/**
 * Adds the next page to a table that is made again.
 * @throws KinscanError CORRUPT_RECORD where a page is missing before it, or its sets get other numbers than they had
 */
export function internPage(table: AttributeTable, { page, sets }: AttributePage): void {
  assert(sets.length % ATTRIBUTE_SET_BYTES === 0, 'a page holds whole attribute sets');
  // a stored value begins anywhere, words do not
  const words = new Uint32Array(sets.length / 4);
  new Uint8Array(words.buffer).set(sets);
  for (let i = 0; i * SET_WORDS < words.length; i++) {
    if (table.internWords(words, i * SET_WORDS) !== page * SETS_PER_PAGE + i) {
      throw new KinscanError('CORRUPT_RECORD', 'the stored attribute sets have gaps');
    }
  }
}
