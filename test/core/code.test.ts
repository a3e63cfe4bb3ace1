import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  assertCodeLength,
  codeFromHex,
  codeOfEmbedding,
  codeToHex,
  hammingDistance,
} from '../../src/core/code.js';
import { KinscanError } from '../../src/core/errors.js';

const embedding = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 1, maxLength: 256 });

function failsWith(code: string): (error: unknown) => boolean {
  return (error) => error instanceof KinscanError && error.code === code;
}

describe('a code', () => {
  it('holds the sign of output i in bit i mod 8, least significant first, of byte i / 8', () => {
    assert.deepEqual(codeOfEmbedding([1, -1, -1, -1, -1, -1, -1, -1, -1, 0.5]), Uint8Array.of(0b1, 0b10));
  });

  it('counts an output of exactly 0 as 1, as sign(0) does in the paper', () => {
    assert.deepEqual(codeOfEmbedding([0, -0.001]), Uint8Array.of(1));
  });

  it('is as far from another as their signs differ', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 256 }),
        (signs) => {
          const a = codeOfEmbedding(signs.map(([sign]) => (sign ? 1 : -1)));
          const b = codeOfEmbedding(signs.map(([, sign]) => (sign ? 1 : -1)));
          assert.equal(hammingDistance(a, b), signs.filter(([left, right]) => left !== right).length);
        },
      ),
    );
  });

  it('survives the way to hexadecimal and back', () => {
    fc.assert(
      fc.property(embedding, (values) => {
        const code = codeOfEmbedding(values);
        assert.deepEqual(codeFromHex(codeToHex(code)), code);
      }),
    );
  });

  it('is refused in hexadecimal that is odd, empty or not hexadecimal', () => {
    for (const text of ['', 'abc', 'zz', '0x12', '12 34'])
      assert.throws(() => codeFromHex(text), failsWith('INVALID_ARGUMENT'));
  });

  it('of another length than the index is refused, and so are bits beyond the length', () => {
    assertCodeLength(new Uint8Array(6), 48);
    assertCodeLength(Uint8Array.of(0xff, 0b11), 10);
    assert.throws(() => assertCodeLength(new Uint8Array(5), 48), failsWith('CODE_LENGTH_MISMATCH'));
    assert.throws(() => assertCodeLength(new Uint8Array(8), 48), failsWith('CODE_LENGTH_MISMATCH'));
    assert.throws(() => assertCodeLength(Uint8Array.of(0, 0b100), 10), failsWith('CODE_LENGTH_MISMATCH'));
  });
});
