import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ImageMetadata } from '../../../src/core/image-metadata.js';
import { Random } from '../../../src/core/random.js';
import { packAttributes } from '../../../src/shard/attributes/attribute-set.js';
import { AttributeTable } from '../../../src/shard/attributes/attribute-table.js';
import { FilterBitmap, type PassingSets } from '../../../src/shard/attributes/filter-bitmap.js';
import { FilterCache, FILTERS_CACHED_MAX } from '../../../src/shard/attributes/filter-cache.js';
import { allSets, withoutValues } from '../../../src/shard/attributes/without-values.js';
import { filterOf, passes } from '../search/plain-search.js';
import { randomFilter, randomMetadata } from '../search/random-metadata.js';

/** A table and, by set number, the metadata that each set stands for. */
class TestTable {
  readonly table = new AttributeTable();
  readonly metadata: ImageMetadata[] = [{}];

  add(metadata: ImageMetadata): void {
    const number = this.table.intern(packAttributes(metadata));
    this.metadata[number] = metadata;
  }
}

const numbersOf = ({ allowed, sets }: PassingSets): number[] =>
  Array.from({ length: sets }, (_, n) => n).filter(
    (n) => (((allowed[n >>> 5] as number) >>> (n & 31)) & 1) === 1,
  );

describe('the bitmap of a filter', () => {
  it('has the sets that pass, however often it is asked while the table grows', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const known = new TestTable();
      const filter = randomFilter(random);
      const bitmap = new FilterBitmap(filter, known.table);
      for (let round = 0; round < 6; round++) {
        for (let i = random.integer(60); i > 0; i--) known.add(randomMetadata(random));
        const expected = known.metadata.flatMap((metadata, n) => (passes(metadata, filter) ? [n] : []));
        assert.deepEqual(numbersOf(bitmap.current()), expected, `seed ${seed}`);
      }
    }
  });

  it('that was handed out never changes', () => {
    const known = new TestTable();
    known.add({ label: 'a' });
    const bitmap = new FilterBitmap(filterOf({ label: ['a'] }), known.table);
    const first = bitmap.current();
    const words = [...first.allowed];
    known.add({ label: 'a', modality: 'CT' });
    assert.deepEqual(numbersOf(bitmap.current()), [1, 2]);
    assert.deepEqual([[...first.allowed], first.sets], [words, 2]);
  });
});

describe('sets without some values', () => {
  it('are those of other values and those of none', () => {
    const random = new Random(5);
    const known = new TestTable();
    for (let i = 0; i < 200; i++) known.add(randomMetadata(random));
    const study = known.table.value(
      known.metadata.findIndex(({ studyInstanceUid }) => studyInstanceUid === '1.3'),
      'studyInstanceUid',
    );
    const left = withoutValues(allSets(known.table), known.table, 'studyInstanceUid', new Set([study]));
    const expected = known.metadata.flatMap(({ studyInstanceUid }, n) =>
      studyInstanceUid === '1.3' ? [] : [n],
    );
    assert.deepEqual(numbersOf(left), expected);
  });
});

describe('the cache of filters', () => {
  it('keeps the filters asked last, and no more than its limit', () => {
    const known = new TestTable();
    for (let i = 0; i < 100; i++) known.add({ label: `${i}` });
    const cache = new FilterCache(known.table);
    const ask = (i: number) =>
      cache.passing(filterOf({ label: [`${i % 100}`], studyDateTo: i < 100 ? 0 : 20200101 }));
    const kept = ask(0);
    for (let i = 1; i <= FILTERS_CACHED_MAX + 20; i++) {
      assert.deepEqual(numbersOf(ask(i)), [(i % 100) + 1]);
      assert.equal(ask(0), kept, 'in use, so it stays');
      assert.ok(cache.size <= FILTERS_CACHED_MAX);
    }
  });
});
