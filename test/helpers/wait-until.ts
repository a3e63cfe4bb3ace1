export interface WaitUntilOptions {
  /** @default 20,000 */
  readonly timeoutMs?: number;
  /** Pause between two looks. @default 20 */
  readonly intervalMs?: number;
}

/**
 * Looks again and again until the condition holds, for tests that wait for another process. The limit only bounds a
 * failing test; no test asserts on the time that passed.
 * @param what what is waited for, for the error message
 * @param condition returns something other than false, undefined or null once it holds; what it throws counts as not yet
 * @returns what the condition returned
 */
export async function waitUntil<Result>(
  what: string,
  condition: () => Promise<Result> | Result,
  options: WaitUntilOptions = {},
): Promise<NonNullable<Exclude<Result, false>>> {
  const { timeoutMs = 20_000, intervalMs = 20 } = options;
  const endMs = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const result = await condition();
      if (result !== false && result !== undefined && result !== null) {
        return result as NonNullable<Exclude<Result, false>>;
      }
      cause = undefined;
    } catch (thrown) {
      cause = thrown;
    }
    if (performance.now() > endMs) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause });
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
