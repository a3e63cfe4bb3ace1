import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { KinscanError } from '../../../src/core/errors.js';
import { compareRanked } from '../../../src/core/ranking.js';
import { WorkerPool } from '../../../src/runtime/worker-pool.js';
import type { IndexChange, IndexRow } from '../../../src/shard/index/index-api.js';
import { openShardIndex, type ShardIndex } from '../../../src/shard/index/shard-index.js';
import { hasCode, ON_THREADS, OPTIONS, QUERY, someRows, withIndex } from './index-harness.js';
import { RowSource, SeededRandom } from './random-rows.js';
import { answersOf, packRows, ReferenceIndex } from './reference-index.js';

// Every apply call moves all 300 rows from one code to another: a torn read would show two codes or a wrong count.
async function checkMovingRows(index: ShardIndex): Promise<void> {
  const rowsOf = (round: number): IndexRow[] => {
    const code = Uint8Array.from({ length: 6 }, (_, i) => (round * 37 + i * 11) & 255);
    return someRows(300).map(({ tieKey }) => ({
      tieKey,
      code,
      fineCode: new Uint8Array(8),
      attributes: round,
    }));
  };
  let rows = rowsOf(0);
  index.load(0, packRows(rows));
  let done = false;
  let searches = 0;
  const search = async (): Promise<void> => {
    while (!done) {
      const hits = await index.search({ ...QUERY, k: 1_000 });
      assert.equal(hits.count, 300);
      assert.equal(new Set(hits.distances).size, 1);
      searches++;
    }
  };
  const searchers = Array.from({ length: 4 }, search);
  for (let round = 1; round <= 300; round++) {
    const next = rowsOf(round);
    await index.apply(0, [
      ...rows.map((row): IndexChange => ({ kind: 'remove', ...row })),
      ...next.map((row): IndexChange => ({ kind: 'add', row })),
    ]);
    rows = next;
    if (round % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  done = true;
  await Promise.all(searchers);
  assert.ok(searches > 0);
}

// Random changes; each answer must be that of a state which the partition had while the search was under way.
async function checkStates(index: ShardIndex): Promise<void> {
  const seed = Number(process.env['KINSCAN_SEED'] ?? Date.now() % 2 ** 31);
  const random = new SeededRandom(seed);
  const source = new RowSource(random, 48, 64, 'clustered');
  const reference = new ReferenceIndex();
  reference.load(
    0,
    Array.from({ length: 400 }, () => source.row()),
  );
  index.load(0, packRows(reference.rows(0)));
  const states = [[...reference.rows(0)]];
  let done = false;
  const search = async (): Promise<void> => {
    while (!done) {
      const ranking = random.below(2) === 0 ? 'FINE' : 'HAMMING';
      const query = {
        code: source.code(),
        fineCode: source.fineCode(),
        k: 50,
        ranking,
        partitions: [0],
      } as const;
      const first = states.length - 1;
      const answers = answersOf(await index.search(query));
      const possible = states.slice(first).some((rows) => {
        const state = new ReferenceIndex();
        state.load(0, rows);
        return isDeepStrictEqual(state.search(query), answers);
      });
      assert.ok(possible, `an answer fits no state (seed ${seed})`);
    }
  };
  const searchers = Array.from({ length: 3 }, search);
  for (let round = 0; round < 150; round++) {
    const changes: IndexChange[] = [];
    for (let i = 0; i < 20; i++) {
      const old = random.pick(reference.rows(0));
      const row = { ...source.row(), tieKey: old.tieKey };
      reference.remove(0, old);
      reference.add(0, row);
      changes.push({ kind: 'remove', ...old }, { kind: 'add', row });
    }
    await index.apply(0, changes);
    states.push([...reference.rows(0)]);
    if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  done = true;
  await Promise.all(searchers);
}

describe('the index of a shard server', () => {
  it('refuses what cannot be asked, each with its own code', async () => {
    await withIndex(async (index) => {
      index.load(0, packRows(someRows(5)));
      for (const k of [0, -1, 1.5, 10_001, 1e9]) {
        await assert.rejects(index.search({ ...QUERY, k }), hasCode('INVALID_K'));
      }
      await assert.rejects(
        index.search({ ...QUERY, code: new Uint8Array(7) }),
        hasCode('CODE_LENGTH_MISMATCH'),
      );
      await assert.rejects(
        index.search({ ...QUERY, fineCode: new Uint8Array(7) }),
        hasCode('CODE_LENGTH_MISMATCH'),
      );
      await assert.rejects(index.search({ ...QUERY, maxDistance: -1 }), hasCode('INVALID_ARGUMENT'));
      await assert.rejects(index.search({ ...QUERY, partitions: [0, 0] }), hasCode('INVALID_ARGUMENT'));
      await assert.rejects(index.search({ ...QUERY, partitions: [0, 3] }), hasCode('STALE_PLACEMENT'));
      const row = { tieKey: 1n, code: new Uint8Array(5), fineCode: new Uint8Array(8), attributes: 0 };
      await assert.rejects(index.apply(0, [{ kind: 'add', row }]), hasCode('CODE_LENGTH_MISMATCH'));
      const rows = packRows(someRows(5));
      assert.throws(() => index.load(1, { ...rows, count: 6 }), hasCode('INVALID_ARGUMENT'));
      assert.equal((await index.search(QUERY)).count, 5);
    });
  });

  it('applies nothing of a call that removes a row it does not have', async () => {
    await withIndex(async (index) => {
      const [kept, absent, added] = someRows(3) as [IndexRow, IndexRow, IndexRow];
      index.load(0, packRows([kept]));
      const changes: IndexChange[] = [
        { kind: 'add', row: added },
        { kind: 'remove', ...kept },
        { kind: 'remove', ...absent },
      ];
      await assert.rejects(index.apply(0, changes), hasCode('INTERNAL'));
      assert.deepEqual([...(await index.search(QUERY)).tieKeys], [kept.tieKey]);
    });
  });

  it('lets one call add a row and remove it again', async () => {
    await withIndex(async (index) => {
      const [row] = someRows(1) as [IndexRow];
      await index.apply(0, [
        { kind: 'add', row },
        { kind: 'remove', ...row },
        { kind: 'add', row },
        { kind: 'add', row },
      ]);
      assert.equal((await index.search(QUERY)).count, 2);
      assert.equal(index.stats().rows, 2);
    });
  });

  it('forgets a dropped partition and takes it again', async () => {
    await withIndex(async (index) => {
      index.load(0, packRows(someRows(5)));
      index.drop(0);
      await assert.rejects(index.search(QUERY), hasCode('STALE_PLACEMENT'));
      index.load(0, packRows(someRows(3)));
      assert.equal((await index.search(QUERY)).count, 3);
    });
  });

  it('grows far beyond what it was loaded with', async () => {
    await withIndex(async (index) => {
      const rows = someRows(60_000);
      const reference = new ReferenceIndex();
      reference.load(0, rows);
      for (let at = 0; at < rows.length; at += 5_000) {
        const changes = rows.slice(at, at + 5_000).map((row): IndexChange => ({ kind: 'add', row }));
        await index.apply(0, changes);
      }
      for (const k of [10, 10_000]) {
        const query = { ...QUERY, k, code: (rows[17] as IndexRow).code };
        assert.deepEqual(answersOf(await index.search(query)), reference.search(query));
      }
      assert.equal(index.stats().rows, 60_000);
    });
  });

  it('holds one image upserted many times as one row', async () => {
    await withIndex(async (index) => {
      const source = new RowSource(new SeededRandom(3), 48, 64, 'uniform');
      let row: IndexRow = { ...source.row(), tieKey: 5n };
      await index.apply(0, [{ kind: 'add', row }]);
      for (let i = 0; i < 40_000; i++) {
        const next: IndexRow = { ...row, code: source.code() };
        await index.apply(0, [
          { kind: 'remove', ...row },
          { kind: 'add', row: next },
        ]);
        row = next;
      }
      const hits = await index.search({ ...QUERY, code: row.code });
      assert.deepEqual([[...hits.distances], [...hits.tieKeys]], [[0], [5n]]);
    });
  });
});

describe('searches beside changes', () => {
  // the second rebuilds all the time, so that snapshots of the base, tombstones and swaps are met as well
  for (const tuning of [ON_THREADS, { ...ON_THREADS, deltaRowsMin: 350, tableCodesMin: 4 }]) {
    it(`see all of an apply call or nothing of it ${JSON.stringify(tuning)}`, async () => {
      await withIndex(checkMovingRows, { ...OPTIONS, tuning });
    });

    it(`see one state of a partition between their begin and their end ${JSON.stringify(tuning)}`, async () => {
      await withIndex(checkStates, { ...OPTIONS, tuning: { ...tuning, probe: 'always' } });
    });
  }

  it('see what was applied before they were asked', async () => {
    await withIndex(async (index) => {
      for (const [i, row] of someRows(200).entries()) {
        await index.apply(0, [{ kind: 'add', row }]);
        assert.equal((await index.search({ ...QUERY, k: 1_000 })).count, i + 1);
      }
    });
  });
});

describe('the queue of the index', () => {
  it('refuses more queries than it may hold, and answers the others', async () => {
    await withIndex(
      async (index) => {
        index.load(0, packRows(someRows(100)));
        const results = await Promise.allSettled(Array.from({ length: 50 }, () => index.search(QUERY)));
        const refused = results.filter((result) => result.status === 'rejected');
        assert.equal(refused.length, 50 - 1 - 8);
        for (const { reason } of refused) assert.ok(hasCode('OVERLOADED')(reason));
        assert.equal((await index.search(QUERY)).count, 10);
      },
      { ...OPTIONS, searchThreads: 1, queueLengthMax: 8 },
    );
  });

  it('searches on the calling thread for some milliseconds of a turn, and leaves the rest to the search threads', async () => {
    await withIndex(
      async (index) => {
        index.load(0, packRows(someRows(1_000)));
        for (const turn of ['first', 'second']) {
          const searches = [index.search(QUERY)];
          const { runningQueries, queuedQueries } = index.stats();
          assert.deepEqual(
            [runningQueries, queuedQueries],
            [0, 0],
            `the ${turn} turn begins on the calling thread`,
          );
          while (index.stats().runningQueries === 0 && searches.length < 100_000) {
            searches.push(index.search(QUERY));
          }
          assert.equal(index.stats().runningQueries, 1, `the ${turn} turn ends on another thread`);
          for (const hits of await Promise.all(searches)) assert.equal(hits.count, 10);
          // an answer may come from the thread before the turn is over
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
      { ...OPTIONS, tuning: {} },
    );
  });

  it('drops an aborted query and gives its place to another', async () => {
    await withIndex(
      async (index) => {
        index.load(0, packRows(someRows(100)));
        const running = index.search(QUERY);
        const controller = new AbortController();
        const aborted = index.search({ ...QUERY, signal: controller.signal });
        await Promise.resolve();
        await assert.rejects(index.search(QUERY), hasCode('OVERLOADED'));
        controller.abort(new KinscanError('DEADLINE_EXCEEDED', 'too late'));
        const other = index.search(QUERY);
        await assert.rejects(aborted, hasCode('DEADLINE_EXCEEDED'));
        assert.equal((await running).count, 10);
        assert.equal((await other).count, 10);
        await assert.rejects(
          index.search({ ...QUERY, signal: controller.signal }),
          hasCode('DEADLINE_EXCEEDED'),
        );
      },
      { ...OPTIONS, searchThreads: 1, queueLengthMax: 1 },
    );
  });

  it('answers what it accepted before it closes, and nothing after', async () => {
    const index = await openShardIndex(OPTIONS);
    index.load(0, packRows(someRows(100)));
    const accepted = Array.from({ length: 20 }, () => index.search(QUERY));
    const closing = index.close();
    for (const hits of await Promise.all(accepted)) assert.equal(hits.count, 10);
    await closing;
    await assert.rejects(index.search(QUERY), hasCode('DRAINING'));
  });

  it('rebuilds at its end no partition that merely waits for it', async (test) => {
    const runTask = test.mock.method(WorkerPool.prototype, 'run');
    const index = await openShardIndex({ ...OPTIONS, tuning: { ...ON_THREADS, deltaRowsMin: 100 } });
    const packed = packRows(someRows(1_000));
    for (const partition of [0, 1, 2, 3]) index.load(partition, packed);
    await index.close();
    const builds = runTask.mock.calls.filter(({ arguments: [task] }) => 'deadBits' in (task as object));
    assert.ok(builds.length <= 1, `${builds.length} partitions were rebuilt`);
  });
});

describe('merging answers', () => {
  it('of n indexes in canonical order gives the answer of one index with all rows', async () => {
    const random = new SeededRandom(11);
    const source = new RowSource(random, 48, 64, 'clustered');
    const rows = Array.from({ length: 16 }, (_, p) => Array.from({ length: 150 }, () => source.row(p)));
    await withIndex(async (one) => {
      rows.forEach((some, partition) => one.load(partition, packRows(some)));
      for (const shards of [2, 3, 5]) {
        const servers = await Promise.all(Array.from({ length: shards }, () => openShardIndex(OPTIONS)));
        rows.forEach((some, partition) => servers[partition % shards]?.load(partition, packRows(some)));
        for (let i = 0; i < 20; i++) {
          const ranking = i % 2 === 0 ? 'FINE' : 'HAMMING';
          const query = {
            code: source.code(),
            fineCode: source.fineCode(),
            k: 1 + random.below(300),
            ranking,
          } as const;
          const whole = await one.search({ ...query, partitions: one.partitions() });
          const parts = await Promise.all(
            servers.map((s) => s.search({ ...query, partitions: s.partitions() })),
          );
          const merged = parts.flatMap(answersOf).sort(compareRanked).slice(0, query.k);
          assert.deepEqual(merged, answersOf(whole));
        }
        await Promise.all(servers.map((server) => server.close()));
      }
    });
  });
});
