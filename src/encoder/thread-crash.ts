import { AssertionError, KinscanError } from '../core/errors.js';

/**
 * Runs a batch; where its thread dies, each item again by itself, so that the item that kills threads fails alone.
 * @param run throws only where the thread died or has a bug; the faults of items are among its results
 */
export async function isolateCrashes<Item, Result>(
  items: readonly Item[],
  run: (items: readonly Item[]) => Promise<readonly (Result | KinscanError)[]>,
  onCrash: (error: unknown) => void,
): Promise<(Result | KinscanError)[]> {
  try {
    return [...(await run(items))];
  } catch (error) {
    // a closed pool and our own bugs are no crashes
    if (error instanceof KinscanError || error instanceof AssertionError) throw error;
    onCrash(error);
    if (items.length === 1) return [new KinscanError('INTERNAL', 'the worker thread died', { cause: error })];
  }
  const results: (Result | KinscanError)[] = [];
  for (const item of items) results.push(...(await isolateCrashes([item], run, onCrash)));
  return results;
}
