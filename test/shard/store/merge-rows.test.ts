import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KinscanError } from '../../../src/core/errors.js';
import { BlockCutter } from '../../../src/shard/store/block-cutter.js';
import { RowMerger } from '../../../src/shard/store/merge-rows.js';
import { sealRows, unsealRows, type RowColumns } from '../../../src/shard/store/row-block.js';
import { RowBuilder, type StoredRow } from '../../../src/shard/store/row-builder.js';
import { sealChanges, unsealChanges } from '../../../src/shard/store/row-journal.js';
import { TieKeyOrder, tieKeyWords } from '../../../src/shard/store/tie-key-order.js';

const WIDTHS = { codeBytes: 3, fineCodeBytes: 2 };
const MODEL_TAG = 99n;
/** Two or three rows to a block, so that small cases have many blocks. */
const BLOCK_BYTES = 50;

/** Few tie keys and few values, so that keys and whole rows repeat. */
const anyRow = fc.record({
  tieKey: fc.oneof(
    fc.bigInt({ min: 0n, max: 6n }),
    fc.constantFrom(1n << 32n, (1n << 63n) + 5n, 2n ** 64n - 1n),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  ),
  attributes: fc.constantFrom(0, 1, 2 ** 32 - 1),
  code: fc.constantFrom([1, 2, 3], [9, 9, 9]).map((bytes) => Uint8Array.from(bytes)),
  fineCode: fc.constantFrom([0, 0], [7, 7]).map((bytes) => Uint8Array.from(bytes)),
});

function textOf({ tieKey, attributes, code, fineCode }: StoredRow): string {
  return `${tieKey} ${attributes} ${code.join()} ${fineCode.join()}`;
}

function textsOf(rows: RowColumns): string[] {
  const builder = new RowBuilder(WIDTHS, 1);
  builder.append(rows, 0, rows.count);
  const { tieKeys, attributes, codes, fineCodes, count } = builder.packed();
  return Array.from({ length: count }, (_, i) =>
    textOf({
      tieKey: tieKeys[i] as bigint,
      attributes: attributes[i] as number,
      code: codes.subarray(i * 3, i * 3 + 3),
      fineCode: fineCodes.subarray(i * 2, i * 2 + 2),
    }),
  );
}

function sortedColumns(rows: readonly StoredRow[]): RowColumns {
  const builder = new RowBuilder(WIDTHS, rows.length);
  for (const row of [...rows].sort((a, b) => (a.tieKey < b.tieKey ? -1 : a.tieKey > b.tieKey ? 1 : 0))) {
    builder.push(row);
  }
  return builder.columns();
}

function cutIntoBlocks(rows: RowColumns): RowColumns[] {
  const cutter = new BlockCutter(WIDTHS, BLOCK_BYTES);
  cutter.append(rows, 0, rows.count);
  cutter.end();
  assert.equal(cutter.rows, rows.count);
  return cutter.takeFinished().map((sealed) => unsealRows(sealed, WIDTHS));
}

describe('blocks of rows', () => {
  it('hold all rows in order, and all rows of a tie key in one block', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 40 }), (rows) => {
        const columns = sortedColumns(rows);
        const blocks = cutIntoBlocks(columns);
        assert.deepEqual(blocks.flatMap(textsOf), textsOf(columns));
        const keys = blocks.map((block) => new Set(textsOf(block).map((text) => text.split(' ')[0])));
        assert.equal(
          keys.reduce((sum, { size }) => sum + size, 0),
          new Set(rows.map(({ tieKey }) => tieKey)).size,
        );
      }),
    );
  });

  it('are refused where a byte is damaged or the widths are others', () => {
    const columns = sortedColumns([
      { tieKey: 5n, attributes: 1, code: Uint8Array.of(1, 2, 3), fineCode: Uint8Array.of(4, 5) },
    ]);
    const corrupt = (error: unknown) => error instanceof KinscanError && error.code === 'CORRUPT_RECORD';
    const sealed = sealRows(columns, WIDTHS);
    for (let at = 0; at < sealed.length; at++) {
      const damaged = Buffer.from(sealed);
      damaged[at] = (damaged[at] as number) ^ 0x10;
      assert.throws(() => unsealRows(damaged, WIDTHS), corrupt);
    }
    assert.throws(() => unsealRows(sealed.subarray(0, -1), WIDTHS), corrupt);
    assert.throws(() => unsealRows(sealed, { codeBytes: 2, fineCodeBytes: 3 }), corrupt);
  });
});

describe('merging a journal into blocks', () => {
  it('gives what applying its entries one after the other gives', () => {
    const entry = fc.record({
      added: fc.array(anyRow, { maxLength: 6 }),
      removals: fc.array(fc.nat(), { maxLength: 6 }),
    });
    const history = fc.record({
      first: fc.array(anyRow, { maxLength: 25 }),
      entries: fc.array(entry, { maxLength: 8 }),
    });
    fc.assert(
      fc.property(history, fc.constantFrom('in order', 'at the end'), ({ first, entries }, newRows) => {
        const live = [...first];
        const merger = new RowMerger(WIDTHS, newRows);
        for (const { added, removals } of entries) {
          const removed = removals.flatMap((at) => (live.length > 0 ? live.splice(at % live.length, 1) : []));
          live.push(...added);
          const changes = { modelTag: MODEL_TAG, foreignCountChange: -1, removed, added };
          const read = unsealChanges(sealChanges(changes, WIDTHS), WIDTHS, MODEL_TAG);
          assert.ok(read);
          assert.equal(read.foreignCountChange, -1);
          merger.addChanges(read);
        }
        const merged = new RowBuilder(WIDTHS, 1);
        let stored = 0;
        for (const block of cutIntoBlocks(sortedColumns(first))) {
          merger.merge(block, merged);
          // start-up reads the next block to behind this one
          if (newRows === 'at the end') assert.ok(merged.count <= (stored += block.count));
        }
        const ascending = newRows === 'in order' ? Infinity : merged.count;
        merger.finish(merged);
        assert.deepEqual(textsOf(merged.columns()).sort(), live.map(textOf).sort());
        const { tieKeys, count } = merged.packed();
        for (let i = 1; i < Math.min(count, ascending); i++)
          assert.ok((tieKeys[i - 1] as bigint) <= (tieKeys[i] as bigint));
      }),
      { numRuns: 500 },
    );
  });

  it('says CORRUPT_RECORD where a removed row is not there', () => {
    const row = { tieKey: 5n, attributes: 1, code: Uint8Array.of(1, 2, 3), fineCode: Uint8Array.of(4, 5) };
    for (const other of [{ attributes: 2 }, { tieKey: 6n }, { code: Uint8Array.of(1, 2, 4) }]) {
      const changes = {
        modelTag: MODEL_TAG,
        foreignCountChange: 0,
        removed: [{ ...row, ...other }],
        added: [],
      };
      const entry = unsealChanges(sealChanges(changes, WIDTHS), WIDTHS, MODEL_TAG);
      assert.ok(entry);
      const merger = new RowMerger(WIDTHS);
      merger.addChanges(entry);
      const sink = new RowBuilder(WIDTHS, 1);
      assert.throws(() => {
        merger.merge(sortedColumns([row]), sink);
        merger.finish(sink);
      }, /do not agree/);
    }
  });

  it('tells an entry of another model version apart, whatever its widths', () => {
    const added = [{ tieKey: 1n, attributes: 0, code: Uint8Array.of(1), fineCode: new Uint8Array(0) }];
    const changes = { modelTag: 1n, foreignCountChange: 0, removed: [], added };
    const sealed = sealChanges(changes, { codeBytes: 1, fineCodeBytes: 0 });
    assert.equal(unsealChanges(sealed, WIDTHS, MODEL_TAG), undefined);
  });
});

describe('the order of tie keys', () => {
  it('is that of the numbers, equal ones as they came, over any number of buckets', () => {
    const keys = fc.oneof(
      fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 3_000, minLength: 1_500 }),
      fc.array(fc.bigInt({ min: 0n, max: 3n }), { maxLength: 1_200 }),
      fc.array(fc.constantFrom(0n, 2n ** 64n - 1n, 1n << 32n, (1n << 32n) - 1n), { maxLength: 1_200 }),
    );
    fc.assert(
      fc.property(keys, (tieKeys) => {
        const builder = new RowBuilder({ codeBytes: 0, fineCodeBytes: 0 }, 1);
        const none = new Uint8Array(0);
        for (const tieKey of tieKeys) builder.push({ tieKey, attributes: 0, code: none, fineCode: none });
        const order = new TieKeyOrder(tieKeyWords(builder.columns()));
        const found = Array.from({ length: order.length }, (_, place) => order.at(place));
        const expected = tieKeys
          .map((key, row) => ({ key, row }))
          .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.row - b.row));
        assert.deepEqual(
          found,
          expected.map(({ row }) => row),
        );
      }),
      { numRuns: 60 },
    );
  });
});
