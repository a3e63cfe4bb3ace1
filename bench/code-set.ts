import type { PackedRows } from '../src/shard/index/index-api.js';

export const CODE_DISTRIBUTIONS = [
  'uniform',
  'clustered',
  'few-codes',
  'equal',
  'two-groups',
  'adversarial',
] as const;

/**
 * How the codes of a gallery lie, and the queries.
 * uniform: every bit random, queries too. clustered: 200 random centres, each bit flipped with 3 %. few-codes: 100 distinct
 * codes, as trained networks make them. equal: one code. two-groups: a centre and its complement, up to 4 flips each.
 * adversarial: half of each code is the same in all, so that half of the chunks tell nothing, the rest random; a query
 * differs in every bit of the shared half. Where nothing is said the queries are members of the gallery.
 */
export type CodeDistribution = (typeof CODE_DISTRIBUTIONS)[number];

/**
 * A small, fast generator with a seed: sfc32 (Chris Doty-Humphrey, PractRand). Not xorshift32, whose outputs in a row are
 * linear functions of 32 bits of state: codes of 64 bits made of them lie in a subspace, nearer to each other than chance.
 */
export class BenchRandom {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    for (let i = 0; i < 15; i++) this.u32();
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 to below 1. */
  unit(): number {
    return this.u32() / 2 ** 32;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(length / 4) * 4);
    const words = new Uint32Array(bytes.buffer);
    for (let i = 0; i < words.length; i++) words[i] = this.u32();
    return bytes.subarray(0, length);
  }
}

export interface CodeSetOptions {
  readonly rows: number;
  /** Multiple of 8. */
  readonly codeBits: number;
  /** Multiple of 8; 0: none. */
  readonly fineCodeBits: number;
  readonly distribution: CodeDistribution;
  /** A power of two. */
  readonly partitions: number;
  readonly seed: number;
}

const CENTRES = 200;
const FLIP_SHARE = 0.03;
const COLLAPSED_CODES = 100;

/** A made-up gallery, by partition; tie keys and fine codes are random. */
export function makeCodeSet(options: CodeSetOptions): PackedRows[] {
  const random = new BenchRandom(options.seed);
  const codeBytes = options.codeBits / 8;
  const centres = Array.from({ length: CENTRES }, () => random.bytes(codeBytes));
  return Array.from({ length: options.partitions }, (_, partition) => {
    const share = Math.floor(options.rows / options.partitions);
    const count = partition === 0 ? options.rows - share * (options.partitions - 1) : share;
    return {
      count,
      codes: makeCodes(random, count, codeBytes, options.distribution, centres),
      tieKeys: makeTieKeys(random, count, partition, options.partitions),
      fineCodes: random.bytes((count * options.fineCodeBits) / 8),
      attributes: new Uint32Array(count),
    };
  });
}

/** Codes to ask the gallery for. */
export function makeQueryCodes(
  set: readonly PackedRows[],
  { codeBits, distribution, seed }: CodeSetOptions,
  count: number,
): Uint8Array[] {
  const random = new BenchRandom(seed + 1);
  const codeBytes = codeBits / 8;
  return Array.from({ length: count }, () => {
    if (distribution === 'uniform') return random.bytes(codeBytes).slice();
    const rows = set[random.u32() % set.length] as PackedRows;
    const at = (random.u32() % rows.count) * codeBytes;
    const code = rows.codes.slice(at, at + codeBytes);
    if (distribution !== 'adversarial') return code;
    return code.map((byte, i) => (i < codeBytes / 2 ? ~byte : random.u32()) & 255);
  });
}

function makeCodes(
  random: BenchRandom,
  count: number,
  codeBytes: number,
  distribution: CodeDistribution,
  centres: readonly Uint8Array[],
): Uint8Array {
  if (distribution === 'uniform') return random.bytes(count * codeBytes);
  const first = centres[0] as Uint8Array;
  const far = first.map((byte) => ~byte & 255);
  const codes = new Uint8Array(count * codeBytes);
  const choices = {
    clustered: centres,
    'few-codes': centres.slice(0, COLLAPSED_CODES),
    equal: [first],
    adversarial: [first],
    'two-groups': [first, far],
  }[distribution];
  for (let i = 0; i < count; i++)
    codes.set(choices[random.u32() % choices.length] as Uint8Array, i * codeBytes);
  if (distribution === 'clustered') flipShare(random, codes, FLIP_SHARE);
  if (distribution === 'two-groups') {
    for (let i = 0; i < count; i++) {
      for (let flips = random.u32() % 5; flips > 0; flips--) {
        flip(codes, i * codeBytes * 8 + (random.u32() % (codeBytes * 8)));
      }
    }
  }
  if (distribution === 'adversarial') {
    for (let i = 0; i < codes.length; i++) if (i % codeBytes >= codeBytes / 2) codes[i] = random.u32() & 255;
  }
  return codes;
}

// Flips each bit with probability `share`: draws the gaps between flips, since most bits stay.
function flipShare(random: BenchRandom, codes: Uint8Array, share: number): void {
  const scale = 1 / Math.log(1 - share);
  const gap = (): number => Math.floor(Math.log(1 - random.unit()) * scale);
  for (let bit = gap(); bit < codes.length * 8; bit += 1 + gap()) flip(codes, bit);
}

function flip(codes: Uint8Array, bit: number): void {
  codes[Math.floor(bit / 8)] = (codes[Math.floor(bit / 8)] as number) ^ (1 << (bit % 8));
}

// The top bits of a tie key are its partition, as in production.
function makeTieKeys(
  random: BenchRandom,
  count: number,
  partition: number,
  partitions: number,
): BigUint64Array {
  const keys = new BigUint64Array(count);
  const words = new Uint32Array(keys.buffer);
  for (let i = 0; i < words.length; i++) words[i] = random.u32();
  const partitionBits = Math.log2(partitions);
  if (partitionBits === 0) return keys;
  for (let i = 1; i < words.length; i += 2) {
    words[i] = ((partition << (32 - partitionBits)) | ((words[i] as number) >>> partitionBits)) >>> 0;
  }
  return keys;
}
