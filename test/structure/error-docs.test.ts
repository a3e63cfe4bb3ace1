import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ERROR_TABLE, GRPC_STATUS, grpcStatusOf, isErrorCode } from '../../src/core/errors.js';
import { ROOT } from './source-tree.js';

const rows = [
  ...readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').matchAll(/^\| `(\w+)` \| (\d+) (\w+) \| (.+) \|$/gm),
].map(([, code, number, status, meaning]) => ({ code, number: Number(number), status, meaning }));

describe('docs/errors.md', () => {
  it('says what the error table says (npm run docs:errors writes it)', () => {
    const table = Object.entries(ERROR_TABLE).map(([code, { grpcStatus, meaning }]) => ({
      code,
      number: GRPC_STATUS[grpcStatus],
      status: grpcStatus,
      meaning,
    }));
    assert.deepEqual(rows, table);
  });
});

describe('the error table', () => {
  it('gives every code a gRPC status and a meaning in a sentence', () => {
    for (const { code, meaning } of rows) {
      assert.ok(code !== undefined && isErrorCode(code));
      assert.ok(Object.values(GRPC_STATUS).some((number) => number === grpcStatusOf(code)));
      assert.match(meaning ?? '', /^[A-Za-z].*[.)]$/);
    }
  });

  it('knows no code that it does not list', () => {
    assert.equal(isErrorCode('NO_SUCH_CODE'), false);
    assert.equal(isErrorCode('toString'), false);
  });
});
