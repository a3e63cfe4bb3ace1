import { AttributeTable } from '../attributes/attribute-table.js';
import { attributePages, internPage, SETS_PER_PAGE, type AttributePage } from '../store/attribute-pages.js';
import type { RecordStore } from '../store/record-store.js';

/**
 * The attribute sets of a shard server and how many of them are on disk. A number is given in memory first and written
 * with the batch that needs it; where that write fails the number stays, and the next batch's write includes its set.
 */
export class AttributeNumbers {
  readonly table = new AttributeTable();
  #storedCount = 1; // number 0, the set without values, needs no storing

  /** @throws KinscanError CORRUPT_RECORD */
  static async load(store: RecordStore): Promise<AttributeNumbers> {
    const numbers = new AttributeNumbers();
    numbers.table.reserve((await store.attributePageCount()) * SETS_PER_PAGE);
    for await (const page of store.attributePages()) internPage(numbers.table, page);
    numbers.#storedCount = numbers.table.size;
    return numbers;
  }

  /** The number of a packed attribute set, given now where it is new. */
  readonly intern = (packed: Uint8Array): number => this.table.intern(packed);

  /** What the next batch must write. */
  pagesToStore(): AttributePage[] {
    return attributePages(this.table, this.#storedCount);
  }

  /** The pages last asked for are on disk. @param count sets known when they were asked for */
  setStored(count: number): void {
    this.#storedCount = count;
  }
}
