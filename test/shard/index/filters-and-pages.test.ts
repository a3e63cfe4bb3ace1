import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareRanked } from '../../../src/core/ranking.js';
import type { IndexFilter, IndexRow } from '../../../src/shard/index/index-api.js';
import { hasCode, ON_THREADS, OPTIONS, QUERY, someRows, withIndex } from './index-harness.js';
import { RowSource, SeededRandom } from './random-rows.js';
import { answersOf, packRows, ReferenceIndex, type Answer } from './reference-index.js';

describe('attribute sets', () => {
  const rowsOf = (count: number, set: (i: number) => number): IndexRow[] =>
    someRows(count).map((row, i) => ({ ...row, attributes: set(i) }));
  const only = (...sets: number[]): IndexFilter => {
    const allowed = new Uint32Array(Math.ceil((Math.max(...sets) + 1) / 32));
    for (const set of sets) allowed[set >>> 5] = (allowed[set >>> 5] as number) | (1 << (set & 31));
    return { allowed, sets: allowed.length * 32 };
  };

  it('cost nothing where no row has one, and 8 bytes a row and 8 a set where some have', async () => {
    const usedBytes = async (set: (i: number) => number): Promise<number> => {
      let bytes = 0;
      await withIndex(async (index) => {
        index.load(0, packRows(rowsOf(20_000, set)));
        await index.settled();
        assert.equal(index.stats().partitions[0]?.deltaRows, 0);
        bytes = index.stats().usedBytes;
      });
      return bytes;
    };
    const without = await usedBytes(() => 0);
    const own = 20_000 * 8 + 100 * 8;
    // columns begin at multiples of 64 bytes
    const withSets = await usedBytes((i) => i % 100);
    assert.ok(withSets - without >= own && withSets - without < own + 5 * 64, `${withSets - without}`);
  });

  it('tell rows apart that are the same otherwise', async () => {
    await withIndex(async (index) => {
      const [row] = someRows(1) as [IndexRow];
      const [one, two] = [1, 2].map((attributes) => ({ ...row, attributes })) as [IndexRow, IndexRow];
      const count = async (filter: IndexFilter) => (await index.search({ ...QUERY, filter })).count;
      await index.apply(0, [
        { kind: 'add', row: one },
        { kind: 'add', row: two },
      ]);
      await index.apply(0, [{ kind: 'remove', ...one }]);
      assert.deepEqual([await count(only(1)), await count(only(2))], [0, 1]);
      await assert.rejects(index.apply(0, [{ kind: 'remove', ...one }]), hasCode('INTERNAL'));
    });
  });

  it('come to a base without any, and with numbers that need a rebuild first', async () => {
    await withIndex(
      async (index) => {
        index.load(0, packRows(rowsOf(2_000, () => 0)));
        await index.settled();
        const { rebuilds = 0 } = index.stats().partitions[0] ?? {};
        for (const attributes of [7, 300_000, 40_000_000]) {
          const [row] = someRows(1, attributes) as [IndexRow];
          await index.apply(0, [{ kind: 'add', row: { ...row, attributes } }]);
          const hits = await index.search({ ...QUERY, filter: only(attributes) });
          assert.deepEqual([...hits.tieKeys], [row.tieKey]);
        }
        await index.settled();
        assert.ok((index.stats().partitions[0]?.rebuilds ?? 0) >= rebuilds + 2);
        const filter = only(0);
        assert.equal((await index.search({ ...QUERY, k: 10_000, filter })).count, 2_000);
        assert.equal((await index.search({ ...QUERY, k: 10_000 })).count, 2_003);
      },
      { ...OPTIONS, tuning: { ...ON_THREADS, deltaRowsMin: 1_000 } },
    );
  });

  it('have numbers below a limit, and places two distances and a tie key', async () => {
    await withIndex(async (index) => {
      const [row] = someRows(1) as [IndexRow];
      for (const attributes of [-1, 0.5, 2 ** 26]) {
        const change = { kind: 'add', row: { ...row, attributes } } as const;
        await assert.rejects(index.apply(0, [change]), hasCode('INVALID_ARGUMENT'));
      }
      const tooLarge = packRows([{ ...row, attributes: 2 ** 26 }]);
      assert.throws(() => index.load(0, tooLarge), hasCode('INVALID_ARGUMENT'));
      index.load(0, packRows([row]));
      const place = { distance: 0, fineDistance: 0, tieKey: 0n };
      for (const wrong of [{ distance: -1 }, { fineDistance: 70_000 }, { tieKey: -1n }]) {
        await assert.rejects(
          index.search({ ...QUERY, after: { ...place, ...wrong } }),
          hasCode('INVALID_ARGUMENT'),
        );
      }
      const filter = { allowed: new Uint32Array(1), sets: -1 };
      await assert.rejects(index.search({ ...QUERY, filter }), hasCode('INVALID_ARGUMENT'));
    });
  });

  it('that are all refused still need the partitions to be here', async () => {
    await withIndex(async (index) => {
      index.load(0, packRows(someRows(5)));
      const filter = { allowed: new Uint32Array(1), sets: 32 };
      assert.equal((await index.search({ ...QUERY, filter })).count, 0);
      await assert.rejects(index.search({ ...QUERY, filter, partitions: [3] }), hasCode('STALE_PLACEMENT'));
    });
  });
});

describe('paging', () => {
  for (const ranking of ['HAMMING', 'FINE'] as const) {
    it(`gives every row once and in order, ${ranking}`, async () => {
      const source = new RowSource(new SeededRandom(5), 48, 64, 'equal');
      const reference = new ReferenceIndex();
      reference.load(0, [
        ...Array.from({ length: 3_000 }, () => source.row()),
        ...Array.from({ length: 500 }, (_, i) => ({
          ...source.row(),
          code: Uint8Array.from([i, i >> 8, 0, 0, 0, 0]),
        })),
      ]);
      await withIndex(
        async (index) => {
          index.load(0, packRows(reference.rows(0)));
          await index.settled();
          const query = { ...QUERY, ranking, k: 64, code: source.code(), fineCode: source.fineCode() };
          const pages: Answer[] = [];
          for (let after: Answer | undefined; ; after = pages.at(-1)) {
            const page = answersOf(await index.search(after === undefined ? query : { ...query, after }));
            // answers at the very place of the last one come again
            const had = pages.filter((answer) => after !== undefined && compareRanked(answer, after) === 0);
            assert.deepEqual(page.slice(0, had.length), had);
            pages.push(...page.slice(had.length));
            if (page.length < query.k) break;
          }
          assert.deepEqual(pages, reference.search({ ...query, k: 10_000 }));
        },
        { ...OPTIONS, tuning: { ...ON_THREADS, deltaRowsMin: 100, tableCodesMin: 4 } },
      );
    });
  }
});
