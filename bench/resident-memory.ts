import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The threads that build end when they were idle for a second. */
const THREADS_END_MS = 2_500;
/** V8 gives back the memory of short-lived objects, up to 32 MB, where little was allocated in the 5 seconds before. */
const LOW_ALLOCATION_MS = 6_000;

/** Resident bytes of this process once garbage is collected. */
export function residentBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().rss;
}

/** The same of a process that has rested: what it keeps. */
export async function restingResidentBytes(): Promise<number> {
  await setTimeout(THREADS_END_MS);
  residentBytes();
  await setTimeout(LOW_ALLOCATION_MS);
  return residentBytes();
}
