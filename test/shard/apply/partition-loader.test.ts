import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { loadPartition } from '../../../src/shard/apply/partition-loader.js';
import { openShardIndex, type PartitionLoad, type RowBytes } from '../../../src/shard/index/shard-index.js';
import { noBlobs, sealOfBlock, type RowKind } from '../../../src/shard/store/blob-store.js';
import { BlockCutter } from '../../../src/shard/store/block-cutter.js';
import { NO_CHANGE, POSITION_START, RecordStore } from '../../../src/shard/store/record-store.js';
import { columnsIn } from '../../../src/shard/store/row-block.js';
import { RowBuilder, type StoredRow } from '../../../src/shard/store/row-builder.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';

/** Whole words, so that the index has a place for them as they are stored. */
const WIDTHS = { codeBytes: 8, fineCodeBytes: 8 };
const KIND: RowKind = { modelTag: 5n, widths: WIDTHS };
const OPTIONS = { cacheBytes: 1 << 20, writeBufferBytes: 1 << 20 };
/** Three rows. */
const BLOCK_BYTES = 90;

const anyRow: fc.Arbitrary<StoredRow> = fc.record({
  tieKey: fc.oneof(fc.bigInt({ min: 0n, max: 9n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  attributes: fc.nat({ max: 5 }),
  code: fc.constantFrom(1, 2).map((byte) => new Uint8Array(8).fill(byte)),
  fineCode: fc.constantFrom(3, 4).map((byte) => new Uint8Array(8).fill(byte)),
});

const anyHistory = fc.record({
  first: fc.array(anyRow, { maxLength: 30 }),
  entries: fc.array(
    fc.record({
      added: fc.array(anyRow, { maxLength: 5 }),
      removals: fc.array(fc.nat(), { maxLength: 5 }),
    }),
    { maxLength: 5 },
  ),
});

function textsOf({ count, ...columns }: RowBytes): string[] {
  const hex = (column: Uint8Array, row: number) =>
    Buffer.from(column.slice((row * column.length) / count, ((row + 1) * column.length) / count)).toString(
      'hex',
    );
  return Array.from({ length: count }, (_, row) =>
    [columns.tieKeys, columns.attributes, columns.codes, columns.fineCodes]
      .map((column) => hex(column, row))
      .join(' '),
  ).sort();
}

function columnsOf(rows: readonly StoredRow[]): RowBytes {
  const builder = new RowBuilder(WIDTHS, rows.length);
  for (const row of rows) builder.push(row);
  return builder.columns();
}

/** Stores rows as blobs of small blocks with a journal behind them. @returns number of the last journal entry */
async function storeRows(
  store: RecordStore,
  partition: number,
  first: readonly StoredRow[],
  entries: readonly { readonly removed: readonly StoredRow[]; readonly added: readonly StoredRow[] }[],
): Promise<number> {
  const cutter = new BlockCutter(WIDTHS, BLOCK_BYTES);
  const sorted = [...first].sort((a, b) => (a.tieKey < b.tieKey ? -1 : a.tieKey > b.tieKey ? 1 : 0));
  cutter.append(columnsOf(sorted), 0, sorted.length);
  cutter.end();
  const sealed = cutter.takeFinished();
  if (sealed.length > 0) await store.blobs.writeBlocks(partition, 1, 0, sealed);
  const none = noBlobs(KIND.modelTag.toString(16));
  const blocks = sealed.map(sealOfBlock);
  await store.blobs.publish(partition, { ...none, generation: 1, blocks, rows: sorted.length }, none);
  await store.commit({
    ...NO_CHANGE,
    positions: [{ partition, position: { ...POSITION_START, journal: entries.length } }],
    journal: entries.map((entry, i) => ({
      partition,
      number: i + 1,
      changes: { ...entry, modelTag: KIND.modelTag, foreignCountChange: 0 },
      widths: WIDTHS,
    })),
  });
  return entries.length;
}

/** The memory of an index, in plain. */
class PlainLoad implements PartitionLoad {
  placed = 0;
  count = 0;
  readonly #memory: RowBytes;

  constructor(room: number) {
    this.#memory = columnsIn(new Uint8Array(room * 28), room, WIDTHS);
  }

  place(first: number, count: number): RowBytes | undefined {
    return first + count <= this.#memory.count ? this.#rows(first, count) : undefined;
  }

  append(rows: RowBytes): void {
    const to = this.#rows(this.count, rows.count);
    if (rows.count > 0 && rows.tieKeys.buffer === to.tieKeys.buffer) {
      assert.ok(
        rows.tieKeys.byteOffset >= to.tieKeys.byteOffset,
        'rows come from their place or a later one',
      );
      if (rows.tieKeys.byteOffset === to.tieKeys.byteOffset) this.placed += rows.count;
    }
    to.tieKeys.set(rows.tieKeys);
    to.attributes.set(rows.attributes);
    to.codes.set(rows.codes);
    to.fineCodes.set(rows.fineCodes);
    this.count += rows.count;
  }

  rows(): RowBytes {
    return this.#rows(0, this.count);
  }

  done(): void {
    assert.fail('the caller of loadPartition says so');
  }

  abandon(): void {
    assert.fail('the rows are whole');
  }

  #rows(first: number, count: number): RowBytes {
    const { tieKeys, attributes, codes, fineCodes } = this.#memory;
    const part = (column: Uint8Array, width: number) =>
      column.subarray(first * width, (first + count) * width);
    return {
      count,
      tieKeys: part(tieKeys, 8),
      attributes: part(attributes, 4),
      codes: part(codes, 8),
      fineCodes: part(fineCodes, 8),
    };
  }
}

async function load(store: RecordStore, partition: number, journal: number, spare: number) {
  let memory = new PlainLoad(0);
  const begin = (_: number, rows: number) => (memory = new PlainLoad(rows + spare));
  const staging = new RowBuilder(WIDTHS, 1);
  const loaded = await loadPartition(partition, journal, { store, kind: KIND, begin, staging });
  assert.equal(loaded.damage, undefined);
  assert.equal(loaded.rows, memory.count);
  return memory;
}

describe('loading a partition', () => {
  it('gives the rows of many blocks with all changes of the journal, wherever the blocks are read to', async (test) => {
    const store = await RecordStore.open(await temporaryFolder(), 4, OPTIONS);
    test.after(() => store.close());
    let partition = 0;
    const spares = fc.constantFrom(0, 3, 100);
    await fc.assert(
      fc.asyncProperty(anyHistory, spares, async ({ first, entries }, spare) => {
        const live = [...first];
        const changes = entries.map(({ added, removals }) => {
          const removed = removals.flatMap((at) => (live.length > 0 ? live.splice(at % live.length, 1) : []));
          live.push(...added);
          return { removed, added };
        });
        const journal = await storeRows(store, ++partition, first, changes);
        const memory = await load(store, partition, journal, spare);
        assert.deepEqual(textsOf(memory.rows()), textsOf(columnsOf(live)));
      }),
      { numRuns: 200 },
    );
  });

  it('copies nothing of blocks that nothing was taken from, nor of those behind a row that was replaced', async (test) => {
    const store = await RecordStore.open(await temporaryFolder(), 4, OPTIONS);
    test.after(() => store.close());
    const row = (key: number, byte = 1): StoredRow => ({
      tieKey: BigInt(key),
      attributes: 0,
      code: new Uint8Array(8).fill(byte),
      fineCode: new Uint8Array(8),
    });
    const first = Array.from({ length: 12 }, (_, i) => row(2 * i));
    const journals = [
      { entries: [], placed: 12 },
      { entries: [{ removed: [], added: [row(5), row(4)] }], placed: 12 },
      { entries: [{ removed: [row(4)], added: [row(4, 2), row(1)] }], placed: 9 },
      { entries: [{ removed: [row(10)], added: [row(1)] }], placed: 3 },
    ];
    for (const [partition, { entries, placed }] of journals.entries()) {
      const memory = await load(store, partition, await storeRows(store, partition, first, entries), 100);
      assert.equal(memory.placed, placed);
    }
  });

  it('reads rows into an index that finds all of them, and refuses those of unknown attribute sets', async (test) => {
    const store = await RecordStore.open(await temporaryFolder(), 4, OPTIONS);
    test.after(() => store.close());
    const model = { codeBits: 64, fineCodeBits: 64, searchThreads: 1, queueLengthMax: 1 };
    const index = await openShardIndex(model);
    test.after(() => index.close());
    const rows = Array.from({ length: 50 }, (_, i) => ({
      tieKey: BigInt(i) << 40n,
      attributes: i % 3,
      code: new Uint8Array(8).fill(i),
      fineCode: new Uint8Array(8).fill(255 - i),
    }));
    const gone = rows.filter((_, i) => i % 7 === 3);
    const journal = await storeRows(store, 2, rows, [{ removed: gone, added: [] }]);
    const options = (attributesEnd: number) => ({
      ...{ store, kind: KIND, staging: new RowBuilder(WIDTHS, 1) },
      begin: (partition: number, count: number) => index.beginLoad(partition, { rows: count, attributesEnd }),
    });
    const refused = await loadPartition(2, journal, options(2));
    refused.load.abandon();
    assert.equal(refused.damage?.code, 'CORRUPT_RECORD');
    const { load: whole, damage } = await loadPartition(2, journal, options(3));
    assert.equal(damage, undefined);
    whole.done();
    for (const row of rows) {
      const query = { code: row.code, fineCode: row.fineCode, k: 1, maxDistance: 0 };
      const hits = await index.search({ ...query, ranking: 'FINE', partitions: [2] });
      const expected = gone.includes(row) ? [] : [row.tieKey];
      assert.deepEqual([...hits.tieKeys], expected);
      assert.ok(hits.fineDistances.every((distance) => distance === 0));
    }
  });
});
