/**
 * A seeded generator: the same seed gives the same numbers on every machine. Not for secrets.
 *
 * xoshiro128** 1.1 (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", 2021,
 * https://prng.di.unimi.it/xoshiro128starstar.c): 128 bits of state, period 2^128 - 1. The state is filled from the
 * 32-bit seed by splitmix32 steps, so that neighbouring seeds give unrelated sequences.
 */
export class Random {
  readonly #state: Uint32Array;

  /** @param seed an integer; its low 32 bits are used */
  constructor(seed: number) {
    this.#state = new Uint32Array(4);
    let mix = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      mix = (mix + 0x9e3779b9) >>> 0;
      let word = mix;
      word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
      word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
      this.#state[i] = word ^ (word >>> 16);
    }
  }

  /** A whole number, 0 to 2^32 - 1. */
  uint32(): number {
    const [s0, s1, s2, s3] = this.#state as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const mixed2 = s2 ^ s0;
    const mixed3 = s3 ^ s1;
    this.#state[0] = s0 ^ mixed3;
    this.#state[1] = s1 ^ mixed2;
    this.#state[2] = mixed2 ^ (s1 << 9);
    this.#state[3] = rotateLeft(mixed3, 11);
    return result;
  }

  /** A number in [0, 1) of 32 random bits. */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** A whole number, 0 to count - 1; count at most 2^32 (its bias is below count / 2^32). */
  integer(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  /** Standard normal, by the Box-Muller transform. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Shuffles in place (Fisher-Yates) and returns the same array. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = items[i] as T;
      items[i] = items[j] as T;
      items[j] = held;
    }
    return items;
  }
}

function rotateLeft(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0;
}
