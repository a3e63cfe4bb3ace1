/** gRPC status codes by name (https://grpc.github.io/grpc/core/md_doc_statuscodes.html), kept here so that core needs no package. */
export const GRPC_STATUS = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
} as const;

export type GrpcStatusName = keyof typeof GRPC_STATUS;

interface ErrorRow {
  readonly grpcStatus: GrpcStatusName;
  /** What it means and what the caller can do; docs/errors.md is checked against this table by a test. */
  readonly meaning: string;
}

/**
 * Every error code of kinscan. Codes are stable: clients and dead letters branch on them, never on text.
 * A code without a row does not compile, since ErrorCode is derived from this table.
 */
export const ERROR_TABLE = {
  INVALID_ARGUMENT: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: 'A request field is missing or out of range.',
  },
  INVALID_IMAGE_ID: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: 'The image id is empty, longer than 512 bytes of UTF-8, or holds control characters.',
  },
  INVALID_K: { grpcStatus: 'INVALID_ARGUMENT', meaning: 'k is not between 1 and 10,000.' },
  INVALID_FILTER: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning:
      'The filter has too many or too long values, a value that its field cannot have, or no possible dates.',
  },
  QUERY_VALUE_UNKNOWN: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: "The filter excludes the query's own study or patient, and the query's is not known.",
  },
  EMPTY_IMAGE: { grpcStatus: 'INVALID_ARGUMENT', meaning: 'The image has no bytes.' },
  IMAGE_TOO_LARGE: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: 'The file has more bytes than the limit allows.',
  },
  PIXEL_LIMIT_EXCEEDED: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: 'The image declares more pixels than the limit allows (decompression bomb).',
  },
  UNSUPPORTED_FORMAT: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: 'The bytes are not PNG, JPEG, TIFF or DICOM.',
  },
  UNSUPPORTED_TRANSFER_SYNTAX: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: 'The DICOM transfer syntax cannot be decoded.',
  },
  UNSUPPORTED_PHOTOMETRIC: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: 'The DICOM photometric interpretation or bit depth cannot be decoded.',
  },
  NO_PIXEL_DATA: { grpcStatus: 'INVALID_ARGUMENT', meaning: 'The DICOM file holds no pixel data.' },
  CORRUPT_IMAGE: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: 'The image is truncated or damaged and cannot be decoded.',
  },
  INVALID_TRAINING_DATA: {
    grpcStatus: 'INVALID_ARGUMENT',
    meaning: 'The training folder cannot be trained on: too few classes or images.',
  },
  TRAINING_DIVERGED: {
    grpcStatus: 'FAILED_PRECONDITION',
    meaning: 'The training loss is not a number any more; lower the learning rate.',
  },
  IMAGE_NOT_FOUND: { grpcStatus: 'NOT_FOUND', meaning: 'No image with this id is indexed.' },
  DEAD_LETTER_NOT_FOUND: { grpcStatus: 'NOT_FOUND', meaning: 'No dead letter with this sequence exists.' },
  MODEL_VERSION_MISMATCH: {
    grpcStatus: 'FAILED_PRECONDITION',
    meaning: 'The code was made by another model version than the index holds.',
  },
  CODE_LENGTH_MISMATCH: {
    grpcStatus: 'FAILED_PRECONDITION',
    meaning: 'The code has another length than the index holds.',
  },
  INVALID_MODEL: {
    grpcStatus: 'FAILED_PRECONDITION',
    meaning: 'The model folder is missing, incomplete or damaged.',
  },
  NATS_SERVER_NOT_FOUND: {
    grpcStatus: 'FAILED_PRECONDITION',
    meaning: 'No nats-server of version 2.10 or newer was found on this machine.',
  },
  NOT_READY: {
    grpcStatus: 'UNAVAILABLE',
    meaning: 'The cluster has no placement or model yet; retry shortly.',
  },
  STALE_PLACEMENT: {
    grpcStatus: 'ABORTED',
    meaning:
      'The placement epoch is stale or the shard server does not host the partition; refresh and retry.',
  },
  OVERLOADED: { grpcStatus: 'RESOURCE_EXHAUSTED', meaning: 'A bounded queue is full; retry after the hint.' },
  STORAGE_FULL: {
    grpcStatus: 'RESOURCE_EXHAUSTED',
    meaning: 'The log or the store has reached its size limit.',
  },
  SHARD_UNAVAILABLE: {
    grpcStatus: 'UNAVAILABLE',
    meaning: 'A shard server that the query needs did not answer.',
  },
  ENCODER_UNAVAILABLE: { grpcStatus: 'UNAVAILABLE', meaning: 'No encoder answered.' },
  INCOMPLETE_RESULT: {
    grpcStatus: 'UNAVAILABLE',
    meaning: 'Not every partition answered and require_complete was set.',
  },
  LOG_UNAVAILABLE: { grpcStatus: 'UNAVAILABLE', meaning: 'NATS did not acknowledge in time; retry.' },
  DRAINING: { grpcStatus: 'UNAVAILABLE', meaning: 'The process is shutting down; retry elsewhere.' },
  DEADLINE_EXCEEDED: {
    grpcStatus: 'DEADLINE_EXCEEDED',
    meaning: 'The deadline passed before the answer was complete.',
  },
  TOO_MANY_ATTEMPTS: {
    grpcStatus: 'INTERNAL',
    meaning: 'The image was delivered the maximum number of times without success.',
  },
  STORE_UNAVAILABLE: {
    grpcStatus: 'FAILED_PRECONDITION',
    meaning: 'The data folder cannot be opened: another process holds it, or it is of another collection.',
  },
  LOG_TRIMMED: {
    grpcStatus: 'DATA_LOSS',
    meaning: 'The CODES log no longer holds entries that this shard server has not applied.',
  },
  CORRUPT_RECORD: { grpcStatus: 'DATA_LOSS', meaning: 'A stored record fails its checks.' },
  INTERNAL: { grpcStatus: 'INTERNAL', meaning: 'A fault of kinscan itself; the log has the details.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export interface KinscanErrorOptions {
  readonly cause?: unknown;
  /** Milliseconds after which a retry is sensible. */
  readonly retryAfterMs?: number;
}

/** The one error class: a stable code for programs, a message for people. Messages never hold patient data. */
export class KinscanError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: KinscanErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'KinscanError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The numeric gRPC status of an error code. */
export function grpcStatusOf(code: ErrorCode): number {
  return GRPC_STATUS[ERROR_TABLE[code].grpcStatus];
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_TABLE, text);
}

/** Any thrown value as a KinscanError; what is not one already becomes INTERNAL with its cause kept. */
export function toKinscanError(thrown: unknown): KinscanError {
  if (thrown instanceof KinscanError) return thrown;
  return new KinscanError('INTERNAL', 'internal error', { cause: thrown });
}

/** For bugs of our own: a failed assertion ends the process (the world's faults are KinscanErrors). */
export class AssertionError extends Error {}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
