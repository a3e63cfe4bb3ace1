import { KinscanError } from '../core/errors.js';

/** JetStream's error codes for a stream or a server without room (nats-server, server/errors.json). */
const NO_ROOM_CODES = new Set([10_023, 10_028, 10_047, 10_077]);

/** JetStream's error codes for a message that is not in the stream. */
const NO_MESSAGE_CODES = new Set([10_037, 10_043, 10_057]);

const RETRY_HINT_MS = 1_000;

export function isNoRoom(error: unknown): boolean {
  const code = apiErrorCode(error);
  return code !== undefined && NO_ROOM_CODES.has(code);
}

export function isNoSuchMessage(error: unknown): boolean {
  const code = apiErrorCode(error);
  return code !== undefined && NO_MESSAGE_CODES.has(code);
}

function apiErrorCode(error: unknown): number | undefined {
  return (error as { api_error?: { err_code?: number } }).api_error?.err_code;
}

/** Runs a request's work; faults of NATS in it become LOG_UNAVAILABLE, all others stay as they are. */
export async function withNats<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof Error) || cause.name !== 'NatsError') throw cause;
    throw new KinscanError('LOG_UNAVAILABLE', 'NATS did not answer', { cause, retryAfterMs: RETRY_HINT_MS });
  }
}
