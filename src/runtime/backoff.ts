/** Delays that double from a first to a largest, with jitter, so that many clients do not retry in step. */
export interface BackoffOptions {
  readonly firstDelayMs: number;
  readonly delayMaxMs: number;
}

/**
 * Delay before attempt `attempt` (0 is the first retry): between half and all of min(first * 2^attempt, max).
 * @param random 0 to 1
 */
export function backoffDelayMs(
  attempt: number,
  options: BackoffOptions,
  random: () => number = Math.random,
): number {
  const full = Math.min(options.delayMaxMs, options.firstDelayMs * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * random();
}
