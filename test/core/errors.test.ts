import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ERROR_TABLE,
  GRPC_STATUS,
  grpcStatusOf,
  isErrorCode,
  KinscanError,
  toKinscanError,
  type ErrorCode,
} from '../../src/core/errors.js';

describe('the error table', () => {
  it('maps every code to a gRPC status that exists', () => {
    for (const code of Object.keys(ERROR_TABLE) as ErrorCode[]) {
      assert.ok(Object.values(GRPC_STATUS).includes(grpcStatusOf(code) as never), code);
    }
  });

  it('knows its codes and no inherited names', () => {
    assert.ok(isErrorCode('INVALID_K'));
    assert.ok(!isErrorCode('toString'));
    assert.ok(!isErrorCode('NO_SUCH_CODE'));
  });
});

describe('a thrown value', () => {
  it('that is a KinscanError stays as it is', () => {
    const error = new KinscanError('OVERLOADED', 'queue full', { retryAfterMs: 20 });
    assert.equal(toKinscanError(error), error);
    assert.equal(error.retryAfterMs, 20);
  });

  it('that is anything else becomes INTERNAL with a generic text and its cause kept', () => {
    const cause = new Error('secret detail');
    const error = toKinscanError(cause);
    assert.equal(error.code, 'INTERNAL');
    assert.equal(error.cause, cause);
    assert.ok(!error.message.includes('secret'));
  });
});
