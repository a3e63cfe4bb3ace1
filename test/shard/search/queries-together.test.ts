import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../../src/core/random.js';
import { WorkerPool } from '../../../src/runtime/worker-pool.js';
import { PARAM_NUMBERS } from '../../../src/shard/index/query-params.js';
import type { SearchTask } from '../../../src/shard/index/search-task.js';
import { openShardIndex } from '../../../src/shard/index/shard-index.js';
import { randomCode } from '../records.js';

const ROWS = 80_000;
const QUERIES = 160;

describe('queries that come together', () => {
  it('travel to the search thread in few tasks, as those of one stream do', async (test) => {
    const random = new Random(1);
    const index = await openShardIndex({
      codeBits: 48,
      fineCodeBits: 0,
      searchThreads: 1,
      queueLengthMax: 1_000,
      tuning: { inlineRowsMax: 0 },
    });
    test.after(() => index.close());
    const codes = Buffer.concat(Array.from({ length: ROWS }, () => randomCode(random, 48)));
    index.load(0, {
      ...{ count: ROWS, codes: new Uint8Array(codes), fineCodes: new Uint8Array(0) },
      tieKeys: BigUint64Array.from({ length: ROWS }, (_, i) => BigInt(i)),
      attributes: new Uint32Array(ROWS),
    });
    await index.settled();
    const ask = () =>
      index.search({ code: randomCode(random, 48), k: 10, ranking: 'HAMMING', partitions: [0] });
    // the thread gets to know the partition
    await ask();
    const runTask = test.mock.method(WorkerPool.prototype, 'run');
    const searches: Promise<unknown>[] = [];
    for (let i = 0; i < QUERIES; i++) {
      searches.push(ask());
      // calls arrive one by one
      if (i % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(searches);
    const tasks = runTask.mock.calls
      .map(({ arguments: [task] }) => task as SearchTask)
      .filter(({ kind }) => kind === 'search');
    const queries = tasks.reduce((sum, { params }) => sum + params.length / PARAM_NUMBERS, 0);
    assert.equal(queries, QUERIES);
    assert.ok(tasks.length <= QUERIES / 4, `${tasks.length} tasks for ${QUERIES} queries`);
  });
});
