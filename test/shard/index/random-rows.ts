import type { IndexRow } from '../../../src/shard/index/index-api.js';

/** How the codes of a test lie. */
export type Distribution = 'uniform' | 'clustered' | 'equal' | 'twoFarGroups' | 'fewChunks';
export const DISTRIBUTIONS: readonly Distribution[] = [
  'uniform',
  'clustered',
  'equal',
  'twoFarGroups',
  'fewChunks',
];

/** A small, fast generator with a seed (mulberry32): the same rows again for a printed seed. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to below `bound`, whole. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  tieKey(): bigint {
    return (BigInt(this.below(2 ** 32)) << 32n) | BigInt(this.below(2 ** 32));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** Rows with codes of one distribution; tie keys repeat now and then. */
export class RowSource {
  readonly #random: SeededRandom;
  readonly #codeBytes: number;
  readonly #fineBytes: number;
  readonly #distribution: Distribution;
  readonly #centres: Uint8Array[];
  /** Attribute sets have numbers below this. */
  readonly attributeSets: number;
  readonly #usedTieKeys: bigint[] = [];

  constructor(random: SeededRandom, codeBits: number, fineCodeBits: number, distribution: Distribution) {
    this.#random = random;
    this.#codeBytes = codeBits / 8;
    this.#fineBytes = fineCodeBits / 8;
    this.#distribution = distribution;
    this.attributeSets = random.pick([1, 2, 40, 2_000, 20_000]);
    const centre = random.bytes(this.#codeBytes);
    const count = distribution === 'equal' ? 1 : distribution === 'twoFarGroups' ? 2 : 1 + random.below(8);
    this.#centres = Array.from({ length: count }, () => random.bytes(this.#codeBytes));
    if (distribution === 'twoFarGroups') this.#centres = [centre, centre.map((byte) => ~byte & 255)];
  }

  code(): Uint8Array {
    const random = this.#random;
    if (this.#distribution === 'uniform') return random.bytes(this.#codeBytes);
    const code = random.pick(this.#centres).slice();
    if (this.#distribution === 'equal') return code;
    if (this.#distribution === 'fewChunks') {
      // shares its first bytes with a centre, so that whole chunks are equal while codes are far apart
      return code.map((byte, i) => (i < code.length / 2 ? byte : random.below(256)));
    }
    for (let flips = random.below(4); flips > 0; flips--) {
      const bit = random.below(this.#codeBytes * 8);
      code[bit >> 3] = (code[bit >> 3] as number) ^ (1 << (bit & 7));
    }
    return code;
  }

  fineCode(): Uint8Array {
    // few values, so that fine distances tie as well
    return this.#random.bytes(this.#fineBytes).map((byte) => byte & 0x11);
  }

  /** Sets of very different sizes: about half of the rows have none, or one of the first. */
  attributes(): number {
    return this.#random.below(1 + this.#random.below(this.attributeSets));
  }

  /** A tie key belongs to one partition, as it does in production; here its low bits say to which. */
  row(partition = 0): IndexRow {
    const old = this.#usedTieKeys.length > 0 && this.#random.below(20) === 0;
    const base = old ? this.#random.pick(this.#usedTieKeys) : this.#random.tieKey();
    this.#usedTieKeys.push(base);
    return {
      tieKey: (base & ~15n) | BigInt(partition),
      code: this.code(),
      fineCode: this.fineCode(),
      attributes: this.attributes(),
    };
  }
}
