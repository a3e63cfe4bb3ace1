import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { KinscanError } from '../../../src/core/errors.js';
import { tieKeyOf } from '../../../src/core/tie-key.js';
import { AttributeNumbers } from '../../../src/shard/apply/attribute-numbers.js';
import { packAttributes } from '../../../src/shard/attributes/attribute-set.js';
import { SETS_PER_PAGE } from '../../../src/shard/store/attribute-pages.js';
import { attributePageKey, tieEntryKey } from '../../../src/shard/store/key-layout.js';
import { NO_CHANGE, RecordStore } from '../../../src/shard/store/record-store.js';
import { RocksDatabase } from '../../../src/shard/store/rocks-database.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';
import { openLocalShard, type LocalShard } from '../local-shard.js';
import { partitionOfId, recordEntry, recordOf, removalEntry } from '../records.js';
import { filterOf } from '../search/plain-search.js';

const OPTIONS = { cacheBytes: 1 << 20, writeBufferBytes: 1 << 20 };

function setOf(series: number): Buffer {
  return packAttributes({ modality: 'CT', seriesInstanceUid: `1.2.${series}` });
}

/** Attribute set number of each id, by its tie entry. */
async function storedNumbers({ store }: LocalShard, ids: readonly string[]): Promise<(number | undefined)[]> {
  const refs = ids.map((id) => ({ partition: partitionOfId(id), tieKey: tieKeyOf(id) }));
  const entries = await store.readTieEntries(refs);
  return entries.map((states) => states[0]?.live?.attributes);
}

describe('numbers of attribute sets', () => {
  it('are the same after every restart, whatever came in one batch and whichever writes failed', async () => {
    const batches = fc.array(
      fc.record({ series: fc.array(fc.nat({ max: 300 }), { maxLength: 150 }), fails: fc.boolean() }),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(batches, async (plan) => {
        const folder = await temporaryFolder();
        const stored = new Map<number, number>();
        for (const { series, fails } of plan) {
          const store = await RecordStore.open(folder, 4, OPTIONS);
          const numbers = await AttributeNumbers.load(store);
          for (const [known, number] of stored) assert.equal(numbers.intern(setOf(known)), number);
          for (const [i, one] of series.entries()) {
            const number = numbers.intern(setOf(one));
            // a batch whose write failed leaves numbers in memory only: the next batch stores them
            if (fails && i % 3 === 0) continue;
            await store.commit({ ...NO_CHANGE, attributePages: numbers.pagesToStore() });
            numbers.setStored(numbers.table.size);
            stored.set(one, number);
          }
          await store.close();
        }
      }),
      { numRuns: 10 },
    );
  });

  it('are written with the batch that needs them, and stand in the tie entries', async (test) => {
    const folder = await temporaryFolder();
    const shard = await openLocalShard(folder);
    const ids = Array.from({ length: 3 * SETS_PER_PAGE }, (_, i) => `image ${i}`);
    for (let at = 0; at < ids.length; at += 50) {
      const batch = ids.slice(at, at + 50).map((id, i) => {
        const metadata = { modality: 'MR', seriesInstanceUid: `1.${Math.floor((at + i) / 2)}` };
        return recordEntry(at + i + 1, recordOf(id, 1, Buffer.from([1, 0]), { metadata }));
      });
      await shard.applier.apply(batch);
    }
    const plain = recordOf('plain', 1, Buffer.from([1, 0]), { metadata: {} });
    await shard.applier.apply([recordEntry(1_000, plain)]);
    const numbers = await storedNumbers(shard, [...ids, 'plain']);
    await shard.close();
    const reopened = await openLocalShard(folder);
    test.after(reopened.close);
    const { attributes } = reopened.applier;
    assert.equal(attributes.size, 1 + ids.length / 2);
    assert.equal(numbers.at(-1), 0);
    ids.forEach((_, i) => {
      const set = packAttributes({ modality: 'MR', seriesInstanceUid: `1.${Math.floor(i / 2)}` });
      assert.deepEqual(attributes.packed(numbers[i] as number), set);
    });
  });

  it('are made again from the tie entries where a page is damaged or missing', async () => {
    const folder = await temporaryFolder();
    const { ids, found } = await fillWithSeries(folder);
    for (const damage of DAMAGES) {
      await damagePage(folder, damage);
      const reasons: KinscanError[] = [];
      const mended = await openLocalShard(folder, { onAttributesDamaged: (error) => reasons.push(error) });
      assert.deepEqual(
        reasons.map(({ code }) => code),
        ['CORRUPT_RECORD'],
      );
      assert.deepEqual(await findSeries(mended), found);
      const numbers = await storedNumbers(mended, ids);
      numbers.forEach((number, i) => {
        if (number !== undefined)
          assert.deepEqual(mended.applier.attributes.packed(number), setOf(seriesOf(i)));
      });
      await mended.close();
      const again = await openLocalShard(folder, { onAttributesDamaged: (error) => assert.fail(error) });
      assert.deepEqual(await findSeries(again), found, 'what was made again was written');
      await again.close();
    }
  });

  it('are CORRUPT_RECORD where a tie entry is damaged, too', async () => {
    const folder = await temporaryFolder();
    const { ids } = await fillWithSeries(folder);
    await damagePage(folder, 'flip');
    const database = await RocksDatabase.open(folder, OPTIONS);
    const id = ids[1] as string;
    await flipByte(database, tieEntryKey(partitionOfId(id), tieKeyOf(id)));
    await database.close();
    const store = await RecordStore.open(folder, 4, OPTIONS);
    await assert.rejects(AttributeNumbers.load(store), { code: 'CORRUPT_RECORD' });
    await store.close();
  });
});

const DAMAGES = ['flip', 'remove'] as const;
const SERIES = 3 * SETS_PER_PAGE;
/** Of image i; two images have one series. */
const seriesOf = (i: number) => Math.floor(i / 2);

/** Two images of each series, of which some series lose one image and some, the last ones too, both; and what filters find then. */
async function fillWithSeries(folder: string) {
  const shard = await openLocalShard(folder);
  const ids = Array.from({ length: 2 * SERIES }, (_, i) => `image ${i}`);
  await shard.applier.apply(
    ids.map((id, i) => {
      const metadata = { modality: 'CT', seriesInstanceUid: `1.2.${seriesOf(i)}` };
      return recordEntry(i + 1, recordOf(id, i + 1, Buffer.from([i & 7, 0]), { metadata }));
    }),
  );
  const gone = ids.filter((_, i) => i % 5 === 0 || (i >= 150 && i < 154) || i >= ids.length - 150);
  await shard.applier.apply(gone.map((id, i) => removalEntry(ids.length + i + 1, id, ids.length + i + 1)));
  const found = await findSeries(shard);
  await shard.close();
  return { ids, found };
}

/** Ids by series, as a filter finds them. */
async function findSeries({ search, applier }: LocalShard): Promise<string[][]> {
  const found: string[][] = [];
  for (let series = 0; series < SERIES; series += 3) {
    const { hits } = await search.search({
      ...{ code: Buffer.alloc(2), k: 10, ranking: 'HAMMING', partitions: applier.partitions() },
      filter: filterOf({ seriesInstanceUid: [`1.2.${series}`] }),
    });
    found.push(hits.imageIds.toSorted());
  }
  return found;
}

async function damagePage(folder: string, damage: (typeof DAMAGES)[number]): Promise<void> {
  const database = await RocksDatabase.open(folder, OPTIONS);
  const key = attributePageKey(1);
  if (damage === 'flip') await flipByte(database, key);
  else await database.write([{ type: 'del', key }]);
  await database.close();
}

async function flipByte(database: RocksDatabase, key: Buffer): Promise<void> {
  const [value] = await database.getMany([key]);
  assert.ok(value);
  value[20] = (value[20] as number) ^ 4;
  await database.write([{ type: 'put', key, value }]);
}
