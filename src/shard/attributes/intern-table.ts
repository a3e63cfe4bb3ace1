import { assert } from '../../core/errors.js';

const CAPACITY_FIRST = 64;
/** Slots per entry, at least: open addressing slows down as a table fills. */
const SLOTS_PER_ENTRY = 2;

/**
 * Numbers distinct tuples of `width` 32-bit words 1, 2, 3, ... in the order in which they first come. Number 0 is the
 * tuple of zeros.
 *
 *     words   │ tuple 0 (zeros) │ tuple 1 │ tuple 2 │ ...          grows by doubling
 *     slots   │ . │ 2 │ . │ 1 │ ...                              open addressing: number of the tuple that hashes here
 *
 * Typed arrays instead of a Map: millions of entries at 4 x width bytes and two slots each, and no garbage to collect.
 */
export class InternTable {
  readonly #width: number;
  #words: Uint32Array;
  #slots = new Uint32Array(CAPACITY_FIRST * SLOTS_PER_ENTRY);
  #size = 1;

  constructor(width: number) {
    this.#width = width;
    this.#words = new Uint32Array(CAPACITY_FIRST * width);
  }

  /** Tuples known, that of zeros included. */
  get size(): number {
    return this.#size;
  }

  get byteLength(): number {
    return this.#words.byteLength + this.#slots.byteLength;
  }

  /** The tuple's number, given now where it is new. */
  intern(tuple: ArrayLike<number>): number {
    const known = this.find(tuple);
    if (known !== undefined) return known;
    if (this.#size * this.#width === this.#words.length) this.#grow();
    const number = this.#size++;
    this.#words.set(tuple, number * this.#width);
    this.#slots[this.#slotOf(tuple)] = number;
    return number;
  }

  /** The tuple's number, undefined where it was never interned. */
  find(tuple: ArrayLike<number>): number | undefined {
    assert(tuple.length === this.#width, 'a tuple has the width of its table');
    let isZero = true;
    for (let i = 0; i < tuple.length; i++) isZero &&= tuple[i] === 0;
    if (isZero) return 0;
    const number = this.#slots[this.#slotOf(tuple)] as number;
    return number === 0 ? undefined : number;
  }

  /** Word `at` of a tuple. */
  word(number: number, at: number): number {
    return this.#words[number * this.#width + at] as number;
  }

  /** A view of a tuple's words, good until the next intern(). */
  tuple(number: number): Uint32Array {
    return this.#words.subarray(number * this.#width, (number + 1) * this.#width);
  }

  // The slot that holds the tuple, or the free one where it belongs.
  #slotOf(tuple: ArrayLike<number>): number {
    const mask = this.#slots.length - 1;
    let slot = hashOf(tuple) & mask;
    for (;;) {
      const number = this.#slots[slot] as number;
      if (number === 0 || this.#equals(number, tuple)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #equals(number: number, tuple: ArrayLike<number>): boolean {
    for (let i = 0, at = number * this.#width; i < this.#width; i++, at++) {
      if (this.#words[at] !== tuple[i]) return false;
    }
    return true;
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let number = 1; number < this.#size; number++) {
      this.#slots[this.#slotOf(this.tuple(number))] = number;
    }
  }
}

// Multiply and mix, as in MurmurHash3's finaliser (Appleby, public domain).
function hashOf(tuple: ArrayLike<number>): number {
  let hash = 0;
  for (let i = 0; i < tuple.length; i++) {
    hash = Math.imul(hash ^ (tuple[i] as number), 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}
