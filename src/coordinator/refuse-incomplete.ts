import { KinscanError } from '../core/errors.js';

const INCOMPLETE_RETRY_HINT_MS = 1_000;

/**
 * Never silently partial (G3): nothing at all is an error, less than all is one where the client said so.
 * @param failure why partitions are missing
 * @throws KinscanError INCOMPLETE_RESULT, or the failure itself where no partition answered
 */
export function refuseIncomplete(
  requireComplete: boolean,
  partitionsAnswered: number,
  partitionsTotal: number,
  failure: KinscanError | undefined,
): void {
  if (partitionsAnswered === partitionsTotal) return;
  const options = { cause: failure, retryAfterMs: failure?.retryAfterMs ?? INCOMPLETE_RETRY_HINT_MS };
  if (partitionsAnswered === 0 && failure !== undefined && !requireComplete) throw failure;
  if (partitionsAnswered === 0 || requireComplete) {
    const message = `${partitionsAnswered} of ${partitionsTotal} partitions answered`;
    throw new KinscanError('INCOMPLETE_RESULT', message, options);
  }
}
