import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packAttributes, valueHash } from '../../../src/shard/attributes/attribute-set.js';
import { AttributeTable } from '../../../src/shard/attributes/attribute-table.js';

test('equal attributes have one number, and the set without values has number 0', () => {
  const table = new AttributeTable();
  const ct = packAttributes({ modality: 'CT', studyInstanceUid: '1.2.3', studyDate: 20240131 });
  assert.equal(table.intern(packAttributes({})), 0);
  assert.equal(table.intern(ct), 1);
  assert.equal(table.intern(packAttributes({ modality: 'CT' })), 2);
  assert.equal(table.intern(Buffer.from(ct)), 1);
  assert.equal(table.size, 3);
});

test('a value is not taken for the same value of another field', () => {
  const table = new AttributeTable();
  const label = table.intern(packAttributes({ label: 'HEAD' }));
  const bodyPart = table.intern(packAttributes({ bodyPart: 'HEAD' }));
  assert.notEqual(label, bodyPart);
  assert.equal(table.value(label, 'bodyPart'), 0);
  assert.equal(table.value(label, 'label'), table.valueNumber(valueHash('HEAD')));
});

test('a table made again from its packed sets gives every set its old number', () => {
  const table = new AttributeTable();
  const sets = Array.from({ length: 5_000 }, (_, i) =>
    packAttributes({
      modality: i % 2 === 0 ? 'MR' : 'CT',
      seriesInstanceUid: `1.2.${i}`,
      studyInstanceUid: `1.${i % 300}`,
      studyDate: 20200101 + (i % 28),
    }),
  );
  const numbers = sets.map((set) => table.intern(set));
  const again = new AttributeTable();
  for (let number = 1; number < table.size; number++) again.intern(table.packed(number));
  assert.deepEqual(
    sets.map((set) => again.intern(set)),
    numbers,
  );
  assert.equal(again.size, table.size);
  assert.deepEqual(again.packed(numbers[77] as number), sets[77]);
});

test('what no image has is not found', () => {
  const table = new AttributeTable();
  table.intern(packAttributes({ label: 'a' }));
  assert.equal(table.valueNumber(valueHash('b')), undefined);
  assert.deepEqual(table.valueHash(table.valueNumber(valueHash('a')) as number), valueHash('a'));
});
