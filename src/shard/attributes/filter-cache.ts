import { createHash } from 'node:crypto';
import type { SearchFilter } from '../../core/search-filter.js';
import type { AttributeTable } from './attribute-table.js';
import { FilterBitmap, type PassingSets } from './filter-bitmap.js';

/** Filters kept; a million attribute sets take 125 kB each. */
export const FILTERS_CACHED_MAX = 64;

/** The bitmaps of the filters asked last, so that a filter in use costs a look at new attribute sets only. */
export class FilterCache {
  readonly #table: AttributeTable;
  /** By the filter's hash, in the order of last use. */
  readonly #bitmaps = new Map<string, FilterBitmap>();

  constructor(table: AttributeTable) {
    this.#table = table;
  }

  get size(): number {
    return this.#bitmaps.size;
  }

  /** The attribute sets that pass, of those that there are now. */
  passing(filter: SearchFilter): PassingSets {
    const key = createHash('sha256').update(JSON.stringify(filter)).digest('base64');
    const bitmap = this.#bitmaps.get(key) ?? new FilterBitmap(filter, this.#table);
    this.#bitmaps.delete(key);
    this.#bitmaps.set(key, bitmap);
    if (this.#bitmaps.size > FILTERS_CACHED_MAX) {
      const [oldest] = this.#bitmaps.keys();
      if (oldest !== undefined) this.#bitmaps.delete(oldest);
    }
    return bitmap.current();
  }
}
