import { KinscanError } from '../../core/errors.js';
import { AttributeTable } from '../attributes/attribute-table.js';
import { attributePages, internPage, SETS_PER_PAGE, type AttributePage } from '../store/attribute-pages.js';
import { NO_CHANGE, type RecordStore } from '../store/record-store.js';
import { restoreAttributes } from './restore-attributes.js';

/** Pages that are made again and written together, 3.8 MB. */
const PAGES_PER_WRITE = 512;

/**
 * The attribute sets of a shard server and how many of them are on disk. A number is given in memory first and written
 * with the batch that needs it; where that write fails the number stays, and the next batch's write includes its set.
 */
export class AttributeNumbers {
  readonly table: AttributeTable;
  #storedCount: number;

  constructor(table = new AttributeTable()) {
    this.table = table;
    this.#storedCount = table.size;
  }

  /**
   * Reads the sets; where their pages are damaged they are made again from the tie entries, and written.
   * @param onDamaged told before that begins
   * @throws KinscanError CORRUPT_RECORD where tie entries are damaged, too; STORAGE_FULL
   */
  static async load(
    store: RecordStore,
    onDamaged: (error: KinscanError) => void = () => undefined,
  ): Promise<AttributeNumbers> {
    try {
      return new AttributeNumbers(await readTable(store));
    } catch (error) {
      if (!(error instanceof KinscanError && error.code === 'CORRUPT_RECORD')) throw error;
      onDamaged(error);
    }
    const table = await restoreAttributes(store);
    const pages = attributePages(table, 1);
    // whatever is written when a process dies agrees with the pages that are not
    for (let first = 0; first < pages.length; first += PAGES_PER_WRITE) {
      await store.commit({ ...NO_CHANGE, attributePages: pages.slice(first, first + PAGES_PER_WRITE) });
    }
    return new AttributeNumbers(table);
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

async function readTable(store: RecordStore): Promise<AttributeTable> {
  const table = new AttributeTable();
  table.reserve((await store.attributePageCount()) * SETS_PER_PAGE);
  for await (const page of store.attributePages()) internPage(table, page);
  return table;
}
