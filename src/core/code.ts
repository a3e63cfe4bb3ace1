import { KinscanError } from './errors.js';

/** Code lengths that kinscan accepts, in bits. Multiples of 8, so that a code is whole bytes. */
export const CODE_BITS_MAX = 256;

/** Bytes that hold a code of `codeBits` bits. */
export function codeByteLength(codeBits: number): number {
  return Math.ceil(codeBits / 8);
}

/** 64-bit words that hold a code of `codeBits` bits. */
export function codeWordCount(codeBits: number): number {
  return Math.ceil(codeBits / 64);
}

/**
 * The binary code of an embedding: bit i is 1 where embedding[i] >= 0 (PAPER.md, "Retrieval").
 * Bit i is bit (i mod 8), least significant first, of byte floor(i / 8); read as little-endian 64-bit words, bit i is
 * bit (i mod 64) of word floor(i / 64). Unused high bits are 0.
 * @param embedding shape [codeBits]
 */
export function codeOfEmbedding(embedding: ArrayLike<number>): Uint8Array {
  const code = new Uint8Array(codeByteLength(embedding.length));
  for (let bit = 0; bit < embedding.length; bit++) {
    if ((embedding[bit] as number) >= 0) code[bit >> 3] = (code[bit >> 3] as number) | (1 << (bit & 7));
  }
  return code;
}

/** Two lower-case hexadecimal digits a byte, first byte first. */
export function codeToHex(code: Uint8Array): string {
  return Buffer.from(code.buffer, code.byteOffset, code.byteLength).toString('hex');
}

/** @throws KinscanError INVALID_ARGUMENT where the text is not whole bytes of hexadecimal digits */
export function codeFromHex(hex: string): Uint8Array {
  if (!/^([0-9a-f]{2})+$/i.test(hex)) {
    throw new KinscanError('INVALID_ARGUMENT', 'a code is an even number of hexadecimal digits');
  }
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** @throws KinscanError CODE_LENGTH_MISMATCH where `code` is not exactly `codeBits` long or has bits set beyond */
export function assertCodeLength(code: Uint8Array, codeBits: number): void {
  const bytes = codeByteLength(codeBits);
  const spareBits = bytes * 8 - codeBits;
  const lastByte = code[bytes - 1] ?? 0;
  if (code.length !== bytes || lastByte >> (8 - spareBits) !== 0) {
    throw new KinscanError(
      'CODE_LENGTH_MISMATCH',
      `a code here is ${codeBits} bits in ${bytes} bytes, not ${code.length} bytes`,
    );
  }
}

/** The number of differing bits of two codes of equal length. */
export function hammingDistance(a: Uint8Array, b: Uint8Array): number {
  let distance = 0;
  for (let i = 0; i < a.length; i++) {
    let bits = (a[i] as number) ^ (b[i] as number);
    while (bits !== 0) {
      bits &= bits - 1;
      distance++;
    }
  }
  return distance;
}
