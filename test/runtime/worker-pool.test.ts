import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KinscanError, type ErrorCode } from '../../src/core/errors.js';
import { WorkerPool, type WorkerPoolOptions } from '../../src/runtime/worker-pool.js';
import type { PoolTestTask } from './pool-test-worker.js';

const OPTIONS: WorkerPoolOptions = {
  file: new URL('./pool-test-worker.js', import.meta.url),
  threads: 1,
  queueLengthMax: 8,
};

type TestPool = WorkerPool<PoolTestTask, unknown>;

async function withPool(
  options: Partial<WorkerPoolOptions>,
  run: (pool: TestPool) => Promise<void>,
): Promise<void> {
  const pool: TestPool = new WorkerPool({ ...OPTIONS, ...options });
  try {
    await run(pool);
  } finally {
    await pool.close();
  }
}

/** A task that holds a thread until the gate opens. */
function gated(pool: TestPool): { open: () => void; result: Promise<unknown> } {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const result = pool.run({ kind: 'waitFor', gate });
  const open = (): void => {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  };
  return { open, result };
}

function hasCode(code: ErrorCode): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof KinscanError && thrown.code === code;
}

describe('a worker pool', () => {
  it('runs tasks on threads that were given its data', async () => {
    await withPool({ threads: 2, workerData: { answer: 42 } }, async (pool) => {
      const values = await Promise.all([1, 2, 3, 4, 5].map((value) => pool.run({ kind: 'echo', value })));
      assert.deepEqual(values, [1, 2, 3, 4, 5]);
      assert.deepEqual(await pool.run({ kind: 'data' }), { answer: 42 });
    });
  });

  it('refuses the task that its queue has no room for, with a hint when to retry', async () => {
    await withPool({ queueLengthMax: 2, retryAfterMs: 70 }, async (pool) => {
      const { open, result } = gated(pool);
      const waiting = [1, 2].map((value) => pool.run({ kind: 'echo', value }));
      assert.equal(pool.waitingCount, 2);
      await assert.rejects(pool.run({ kind: 'echo', value: 3 }), (thrown) => {
        return hasCode('OVERLOADED')(thrown) && (thrown as KinscanError).retryAfterMs === 70;
      });
      open();
      assert.deepEqual(await Promise.all([result, ...waiting]), ['opened', 1, 2]);
    });
  });

  it('runs queries before bulk work, and equals in order of arrival', async () => {
    await withPool({}, async (pool) => {
      const log = new Int32Array(new SharedArrayBuffer(64));
      const { open, result } = gated(pool);
      const tasks = [1, 2, 3].map((value) => pool.run({ kind: 'record', log, value }));
      tasks.push(...[4, 5].map((value) => pool.run({ kind: 'record', log, value }, { priority: 'query' })));
      open();
      await Promise.all([result, ...tasks]);
      assert.deepEqual([...log.subarray(1, 6)], [4, 5, 1, 2, 3]);
    });
  });

  it('never runs a task that was aborted while it waited, and frees its place', async () => {
    await withPool({ queueLengthMax: 1 }, async (pool) => {
      const log = new Int32Array(new SharedArrayBuffer(64));
      const { open, result } = gated(pool);
      const controller = new AbortController();
      const aborted = pool.run({ kind: 'record', log, value: 1 }, { signal: controller.signal });
      controller.abort(new KinscanError('DEADLINE_EXCEEDED', 'too late'));
      await assert.rejects(aborted, hasCode('DEADLINE_EXCEEDED'));
      assert.equal(pool.waitingCount, 0);
      const next = pool.run({ kind: 'record', log, value: 2 });
      open();
      await Promise.all([result, next]);
      assert.deepEqual([...log.subarray(0, 3)], [1, 2, 0]);
    });
  });

  it('lets go of a running task that is aborted, and keeps the thread', async () => {
    await withPool({}, async (pool) => {
      const gate = new Int32Array(new SharedArrayBuffer(4));
      const controller = new AbortController();
      const aborted = pool.run({ kind: 'waitFor', gate }, { signal: controller.signal });
      const next = pool.run({ kind: 'echo', value: 7 });
      controller.abort(new Error('no longer wanted'));
      await assert.rejects(aborted, /no longer wanted/);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      assert.equal(await next, 7);
      await assert.rejects(
        pool.run({ kind: 'echo', value: 8 }, { signal: controller.signal }),
        /no longer wanted/,
      );
    });
  });

  it('passes on what a worker throws, and goes on after a thread has died', async () => {
    await withPool({}, async (pool) => {
      await assert.rejects(pool.run({ kind: 'fail', message: 'broken pixel' }), /broken pixel/);
      await assert.rejects(pool.run({ kind: 'die' }), /exited/);
      assert.equal(await pool.run({ kind: 'echo', value: 1 }), 1);
    });
  });

  it('moves what is to be transferred', async () => {
    await withPool({}, async (pool) => {
      const buffer = new ArrayBuffer(1024);
      assert.equal(await pool.run({ kind: 'byteLength', buffer }, { transfer: [buffer] }), 1024);
      assert.equal(buffer.byteLength, 0);
    });
  });

  it('finishes what it accepted before it closes, and refuses the rest', async () => {
    const pool: TestPool = new WorkerPool(OPTIONS);
    const accepted = [1, 2, 3].map((value) => pool.run({ kind: 'echo', value }));
    const closing = pool.close();
    await assert.rejects(pool.run({ kind: 'echo', value: 4 }), hasCode('DRAINING'));
    assert.deepEqual(await Promise.all(accepted), [1, 2, 3]);
    await closing;
    await pool.close();
  });

  it('ends idle threads where it may and starts them again', async () => {
    await withPool({ idleTimeoutMs: 1 }, async (pool) => {
      assert.equal(await pool.run({ kind: 'echo', value: 1 }), 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(await pool.run({ kind: 'echo', value: 2 }), 2);
    });
  });
});
