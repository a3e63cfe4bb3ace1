import { codeByteLength } from '../../core/code.js';

/** Bytes that a packed code of `bits` bits takes; 0 where there is none. */
export function packedBytes(bits: number): number {
  return bits === 0 ? 0 : codeByteLength(bits);
}

/** Whether `bytes` holds `expected` from `at` on. */
export function bytesEqual(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

/** Whether `source` is the very memory of `target` from `at` on. */
export function liesAt(target: Uint8Array, at: number, source: Uint8Array): boolean {
  return source.buffer === target.buffer && source.byteOffset === target.byteOffset + at;
}

/** Copies `count` items, end to end in `source`, to slots of `stride` bytes each, and zeroes the slots' spare bytes. */
export function copyPadded(
  target: Uint8Array,
  at: number,
  stride: number,
  source: Uint8Array,
  count: number,
): void {
  if (count === 0 || stride === 0) return;
  const itemBytes = source.length / count;
  if (itemBytes === stride) {
    if (!liesAt(target, at, source)) target.set(source, at);
    return;
  }
  for (let i = 0, from = 0, to = at; i < count; i++) {
    for (let b = 0; b < itemBytes; b++) target[to++] = source[from++] as number;
    for (let b = itemBytes; b < stride; b++) target[to++] = 0;
  }
}
