import type { Logger } from './log.js';

/** A role that runs until it is told to stop. */
export interface RunningRole {
  /** Takes no new work, ends what is under way, closes everything. */
  drain(): Promise<void>;
  /** Rejects when the role cannot go on; never resolves otherwise. */
  readonly failed: Promise<never>;
}

/** Limit on a graceful stop; after it the process ends as it is, which loses nothing (guarantee G1). */
export const DRAIN_TIMEOUT_MS = 10_000;

/**
 * Runs a role until SIGINT, SIGTERM, the death of a supervising parent (its IPC channel closes) or a failure; then drains.
 * @returns the process's exit code
 */
export async function runRole(role: RunningRole, log: Logger): Promise<number> {
  const stopped = new Promise<string>((resolve) => {
    process.once('SIGINT', () => resolve('SIGINT'));
    process.once('SIGTERM', () => resolve('SIGTERM'));
    process.once('disconnect', () => resolve('parent gone'));
  });
  try {
    const reason = await Promise.race([stopped, role.failed]);
    log.info({ reason }, 'draining');
  } catch (error) {
    log.fatal({ err: error }, 'role failed');
    await withinLimit(role.drain()).catch(() => false);
    return 1;
  }
  if (!(await withinLimit(role.drain()))) log.warn({ drainTimeoutMs: DRAIN_TIMEOUT_MS }, 'drain cut short');
  return 0;
}

async function withinLimit(work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), DRAIN_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work.then(() => true), limit]);
  } finally {
    clearTimeout(timer);
  }
}
