import type { KinscanError } from '../core/errors.js';
import { ERROR_TABLE } from '../core/errors.js';
import type { DeadLetterEntry, DeadLetterEntry__Output } from '../generated/kinscan/v1/DeadLetterEntry.js';
import type { ErrorDetail } from '../generated/kinscan/v1/ErrorDetail.js';
import type { IngestTask } from '../generated/kinscan/v1/IngestTask.js';
import { messageCodec } from '../runtime/proto.js';
import { SUBJECT } from '../runtime/streams.js';
import type { LogMessage } from './log-publisher.js';

const codec = messageCodec<DeadLetterEntry, DeadLetterEntry__Output>('DeadLetterEntry');

export interface DeadLetter {
  /** The whole task: a dead letter can be tried again. */
  readonly task: IngestTask;
  readonly revision: number;
  readonly reason: KinscanError;
  readonly failedAtMs: number;
  readonly deliveries: number;
}

export function deadLetterMessage(letter: DeadLetter): LogMessage {
  const { task, revision, failedAtMs, deliveries } = letter;
  const data = codec.encode({ task, revision, reason: errorDetailOf(letter.reason), failedAtMs, deliveries });
  return { subject: SUBJECT.deadLetters, data, messageId: `dead:${revision}` };
}

export function errorDetailOf(error: KinscanError): ErrorDetail {
  return { code: error.code, message: error.message, retryAfterMs: error.retryAfterMs ?? 0 };
}

/** Whether trying again would end the same way: the fault lies in the image or its record. */
export function isPermanent(error: KinscanError): boolean {
  const { grpcStatus } = ERROR_TABLE[error.code];
  return (
    grpcStatus === 'INVALID_ARGUMENT' || grpcStatus === 'DATA_LOSS' || error.code === 'TOO_MANY_ATTEMPTS'
  );
}
