import { KinscanError } from '../../core/errors.js';
import type { ImageRecord, ImageRecord__Output } from '../../generated/kinscan/v1/ImageRecord.js';
import { messageCodec } from '../../runtime/proto.js';
import { packAttributes } from '../attributes/attribute-set.js';
import { AttributeTable } from '../attributes/attribute-table.js';
import { SETS_PER_PAGE } from '../store/attribute-pages.js';
import type { RecordStore } from '../store/record-store.js';
import type { LiveImage } from '../store/tie-entry.js';

const recordCodec = messageCodec<ImageRecord, ImageRecord__Output>('ImageRecord');

/**
 * Makes the table of attribute sets again from the tie entries of all partitions: each has the number of its image's set
 * and, in the summary, the metadata that the set was made from. A number that no image has any more is given to a set
 * that no image can have, since the sets after it must keep theirs; the table reaches into the last stored page, so that
 * no page of before is left behind its end. It reads every tie entry: seconds for a million.
 * @throws KinscanError CORRUPT_RECORD where a tie entry is damaged, too, or two numbers stand for one set
 */
export async function restoreAttributes(store: RecordStore): Promise<AttributeTable> {
  const sets: (Buffer | undefined)[] = [packAttributes({})];
  for (let partition = 0; partition < store.partitionCount; partition++) {
    for await (const entries of store.tieEntries(partition)) {
      for (const { live } of entries.flatMap(({ states }) => states)) {
        if (live !== undefined) sets[live.attributes] ??= setOf(live);
      }
    }
  }
  const table = new AttributeTable();
  const lastPage = (await store.attributePageCount()) - 1;
  const size = Math.max(sets.length, lastPage * SETS_PER_PAGE + 1);
  for (let number = 0; number < size; number++) {
    const set = sets[number] ?? packAttributes({ label: `no image has attribute set ${number}` });
    if (table.intern(set) !== number)
      throw new KinscanError('CORRUPT_RECORD', 'stored images of one attribute set name two');
  }
  return table;
}

function setOf({ summary }: LiveImage): Buffer {
  return packAttributes(recordCodec.decode(summary).metadata ?? {});
}
