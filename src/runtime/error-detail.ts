import { toKinscanError } from '../core/errors.js';
import type { ErrorDetail } from '../generated/kinscan/v1/ErrorDetail.js';
import type { Logger } from './log.js';

/** What a client is told inside a stream of why its request was refused. Faults of our own go to the log with all facts. */
export function errorDetailOf(thrown: unknown, log: Logger): ErrorDetail {
  const error = toKinscanError(thrown);
  if (error.code === 'INTERNAL') log.error({ err: error.cause ?? error }, 'request failed: internal error');
  return {
    code: error.code,
    message: error.code === 'INTERNAL' ? 'internal error' : error.message,
    retryAfterMs: Math.ceil(error.retryAfterMs ?? 0),
  };
}
