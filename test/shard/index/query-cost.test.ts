import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { QueryCost } from '../../../src/shard/index/query-cost.js';
import type { PreparedQuery } from '../../../src/shard/index/segment-reader.js';

const query = (k: number, fine = false): PreparedQuery => ({
  k,
  fine,
  maxDistance: 48,
  allowed: undefined,
  after: undefined,
  code: new Uint8Array(8),
  fineCode: new Uint8Array(0),
});

describe('what searches cost', () => {
  it('is not known of a kind that never came', () => {
    const cost = new QueryCost();
    cost.record(query(10), 0.1);
    assert.equal(cost.isCheap(query(10)), true);
    assert.equal(cost.isCheap(query(10_000)), false);
    assert.equal(cost.isCheap(query(10, true)), false);
  });

  it('is the mean of late: one slow search changes little, slow ones do', () => {
    const cost = new QueryCost();
    for (let i = 0; i < 100; i++) cost.record(query(10), 0.1);
    cost.record(query(10), 4);
    assert.equal(cost.isCheap(query(10)), true);
    for (let i = 0; i < 10; i++) cost.record(query(10), 4);
    assert.equal(cost.isCheap(query(10)), false);
    for (let i = 0; i < 100; i++) cost.record(query(10), 0.1);
    assert.equal(cost.isCheap(query(10)), true);
  });
});
