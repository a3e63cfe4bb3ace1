import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { grpcStatusOf, isErrorCode, KinscanError, toKinscanError, type ErrorCode } from '../core/errors.js';

/** Trailing metadata of failed calls. */
export const ERROR_CODE_METADATA = 'kinscan-error-code';
export const RETRY_AFTER_METADATA = 'kinscan-retry-after-ms';

/** What a failed call sends to its client. Faults of our own send a generic text; the log has the details. */
export function toGrpcStatus(thrown: unknown): StatusObject {
  const error = toKinscanError(thrown);
  const metadata = new Metadata();
  metadata.set(ERROR_CODE_METADATA, error.code);
  if (error.retryAfterMs !== undefined)
    metadata.set(RETRY_AFTER_METADATA, String(Math.ceil(error.retryAfterMs)));
  const details = error.code === 'INTERNAL' ? 'internal error' : error.message;
  return { code: grpcStatusOf(error.code), details, metadata };
}

/** The error of a failed call as a KinscanError, whoever failed it: the server, the deadline, or the transport. */
export function fromGrpcError(error: ServiceError, unavailable: ErrorCode): KinscanError {
  const code = error.metadata?.get(ERROR_CODE_METADATA)[0];
  const retryAfter = Number(error.metadata?.get(RETRY_AFTER_METADATA)[0]);
  const options = { cause: error, ...(retryAfter > 0 ? { retryAfterMs: retryAfter } : {}) };
  if (typeof code === 'string' && isErrorCode(code)) return new KinscanError(code, error.details, options);
  return new KinscanError(codeOfTransportStatus(error.code, unavailable), error.details, options);
}

function codeOfTransportStatus(code: status, unavailable: ErrorCode): ErrorCode {
  switch (code) {
    case status.UNAVAILABLE:
    case status.CANCELLED:
      return unavailable;
    case status.DEADLINE_EXCEEDED:
      return 'DEADLINE_EXCEEDED';
    case status.RESOURCE_EXHAUSTED:
      return 'OVERLOADED';
    case status.INVALID_ARGUMENT:
      return 'INVALID_ARGUMENT';
    default:
      return 'INTERNAL';
  }
}
