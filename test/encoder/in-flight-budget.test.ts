import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InFlightBudget } from '../../src/encoder/in-flight-budget.js';

const LIMITS = { imagesMax: 8, bytesMax: 1_000, entryBytesMax: 100 } as const;
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the in-flight budget', () => {
  it('allows as many entries as the tighter of its two limits', () => {
    const byImages = new InFlightBudget(LIMITS);
    byImages.addEntry(10);
    assert.equal(byImages.entryCredit(), 7);
    const byBytes = new InFlightBudget({ ...LIMITS, imagesMax: 100 });
    assert.equal(byBytes.entryCredit(), 10);
    byBytes.addEntry(601);
    assert.equal(byBytes.entryCredit(), 3);
  });

  it('lets one entry through however small the budget is', () => {
    const budget = new InFlightBudget({ imagesMax: 8, bytesMax: 50, entryBytesMax: 100 });
    assert.equal(budget.entryCredit(), 1);
    budget.addEntry(80);
    assert.equal(budget.entryCredit(), 0);
  });

  it('makes large files wait for their bytes, in order, and asks for no entries meanwhile', async () => {
    const budget = new InFlightBudget(LIMITS);
    budget.addEntry(500);
    const entered: string[] = [];
    const leave: (() => void)[] = [];
    const hold = (name: string, bytes: number) =>
      budget.holdFile(bytes, async () => {
        entered.push(name);
        await new Promise<void>((resolve) => leave.push(resolve));
      });
    const first = hold('first', 600);
    const second = hold('second', 100);
    await settled();
    assert.deepEqual(entered, [], 'the second would fit, but does not overtake');
    assert.equal(budget.entryCredit(), 0);
    budget.removeEntry(500);
    await settled();
    assert.deepEqual(entered, ['first', 'second']);
    assert.equal(budget.bytes, 700);
    for (const end of leave) end();
    await Promise.all([first, second]);
    assert.equal(budget.bytes, 0);
    assert.equal(budget.entryCredit(), 8);
  });

  it('refuses a file that never fits', async () => {
    const budget = new InFlightBudget(LIMITS);
    await assert.rejects(
      budget.holdFile(1_001, () => Promise.resolve()),
      { code: 'IMAGE_TOO_LARGE' },
    );
  });

  it('wakes who waits for credit when a quarter is free, or when it is told to stop', async () => {
    const budget = new InFlightBudget(LIMITS);
    for (let i = 0; i < 8; i++) budget.addEntry(1);
    let isAwake = false;
    const waiting = budget.waitForCredit(new AbortController().signal).then(() => (isAwake = true));
    budget.removeEntry(1);
    await settled();
    assert.equal(isAwake, false);
    budget.removeEntry(1);
    await waiting;
    const abort = new AbortController();
    budget.addEntry(1);
    const stopped = budget.waitForCredit(abort.signal);
    abort.abort();
    await stopped;
  });
});
