import type { IndexFilter } from './index-api.js';

/** A filter as searches use it. */
export interface AllowedSets {
  /** Bit n % 32 of word n / 32: set n is allowed. No bit is set beyond the sets of the filter. */
  readonly bitmap: Uint32Array;
  /** Sets that are allowed. */
  readonly count: number;
  /** Sets that the filter was made for. */
  readonly sets: number;
}

export function allowedSetsOf({ allowed, sets }: IndexFilter): AllowedSets {
  const bitmap = allowed.slice(0, Math.ceil(sets / 32));
  const spareBits = bitmap.length * 32 - sets;
  // `>>>` takes its right side modulo 32, but spareBits is below 32
  if (spareBits > 0) bitmap[bitmap.length - 1] = (bitmap.at(-1) as number) & (0xffff_ffff >>> spareBits);
  let count = 0;
  for (let i = 0; i < bitmap.length; i++) count += bitCount(bitmap[i] as number);
  return { bitmap, count, sets };
}

/** The numbers of the sets that are allowed, ascending. */
export function allowedNumbers({ bitmap, count }: AllowedSets): Uint32Array {
  const numbers = new Uint32Array(count);
  let next = 0;
  for (let i = 0; i < bitmap.length; i++) {
    // takes the lowest bit at a time
    for (let word = bitmap[i] as number; word !== 0; word &= word - 1) {
      numbers[next++] = i * 32 + 31 - Math.clz32(word & -word);
    }
  }
  return numbers;
}

export function isSetAllowed({ bitmap }: AllowedSets, set: number): boolean {
  return (((bitmap[set >>> 5] ?? 0) >>> (set & 31)) & 1) === 1;
}

// Bits set in 32 bits (Warren, Hacker's Delight, 5-1).
function bitCount(word: number): number {
  let x = word - ((word >>> 1) & 0x5555_5555);
  x = (x & 0x3333_3333) + ((x >>> 2) & 0x3333_3333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
