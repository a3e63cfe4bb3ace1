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
  /** Tuples that there is room for, a power of two. */
  #capacity = CAPACITY_FIRST;
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

  /** The number of the tuple that begins at word `at`, given now where it is new. */
  intern(words: Uint32Array, at = 0): number {
    if (this.#isZero(words, at)) return 0;
    if (this.#size === this.#capacity) this.#grow(this.#capacity * 2);
    const slot = this.#slotOf(words, at);
    const known = this.#slots[slot] as number;
    if (known !== 0) return known;
    const number = this.#size++;
    for (let i = 0, to = number * this.#width; i < this.#width; i++) {
      this.#words[to + i] = words[at + i] as number;
    }
    this.#slots[slot] = number;
    return number;
  }

  /** The tuple's number, undefined where it was never interned. */
  find(words: Uint32Array, at = 0): number | undefined {
    if (this.#isZero(words, at)) return 0;
    const number = this.#slots[this.#slotOf(words, at)] as number;
    return number === 0 ? undefined : number;
  }

  /** Makes room for so many tuples in all, that of zeros included, at once instead of step by step. */
  reserve(size: number): void {
    if (size > this.#capacity) this.#grow(2 ** Math.ceil(Math.log2(size)));
  }

  /** Word `at` of a tuple. */
  word(number: number, at: number): number {
    return this.#words[number * this.#width + at] as number;
  }

  /** A view of a tuple's words, good until the next intern(). */
  tuple(number: number): Uint32Array {
    return this.#words.subarray(number * this.#width, (number + 1) * this.#width);
  }

  #isZero(words: Uint32Array, at: number): boolean {
    assert(at + this.#width <= words.length, 'a tuple has the width of its table');
    for (let i = 0; i < this.#width; i++) if (words[at + i] !== 0) return false;
    return true;
  }

  // The slot that holds the tuple, or the free one where it belongs.
  #slotOf(words: Uint32Array, at: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hashOf(words, at, this.#width) & mask;
    for (;;) {
      const number = slots[slot] as number;
      if (number === 0 || this.#equals(number, words, at)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #equals(number: number, words: Uint32Array, at: number): boolean {
    const known = this.#words;
    for (let i = 0, from = number * this.#width; i < this.#width; i++) {
      if (known[from + i] !== words[at + i]) return false;
    }
    return true;
  }

  #grow(capacity: number): void {
    const words = new Uint32Array(capacity * this.#width);
    words.set(this.#words);
    this.#words = words;
    this.#capacity = capacity;
    this.#slots = new Uint32Array(capacity * SLOTS_PER_ENTRY);
    for (let number = 1; number < this.#size; number++) {
      this.#slots[this.#slotOf(words, number * this.#width)] = number;
    }
  }
}

// Multiply and mix, as in MurmurHash3's finaliser (Appleby, public domain).
function hashOf(words: Uint32Array, at: number, width: number): number {
  let hash = 0;
  for (let i = 0; i < width; i++) {
    hash = Math.imul(hash ^ (words[at + i] as number), 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}
