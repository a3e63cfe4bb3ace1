import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TurnBatch } from '../../src/runtime/turn-batch.js';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

function recorded(itemsMax: number) {
  const batches: number[][] = [];
  return { batches, batch: new TurnBatch<number>(itemsMax, (items) => batches.push(items)) };
}

describe('a batch of one turn', () => {
  it('holds what was added in the turn, in order, and nothing of the next', async () => {
    const { batches, batch } = recorded(10);
    batch.add(1);
    await Promise.resolve();
    batch.add(2);
    assert.deepEqual(batches, []);
    await nextTurn();
    batch.add(3);
    await nextTurn();
    await nextTurn();
    assert.deepEqual(batches, [[1, 2], [3]]);
  });

  it('goes when it is full, and the rest with the turn', async () => {
    const { batches, batch } = recorded(2);
    for (const item of [1, 2, 3, 4, 5]) batch.add(item);
    assert.deepEqual(batches, [
      [1, 2],
      [3, 4],
    ]);
    await nextTurn();
    assert.deepEqual(batches, [[1, 2], [3, 4], [5]]);
  });

  it('goes at once when it is flushed, and only once', async () => {
    const { batches, batch } = recorded(10);
    batch.add(1);
    batch.flush();
    assert.deepEqual(batches, [[1]]);
    batch.flush();
    await nextTurn();
    assert.deepEqual(batches, [[1]]);
  });
});
