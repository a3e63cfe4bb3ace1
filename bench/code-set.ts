import type { PackedRows } from '../src/shard/index/index-api.js';

export const CODE_DISTRIBUTIONS = [
  'uniform',
  'clustered',
  'collapsed',
  'equal',
  'twoFarGroups',
  'heavyChunks',
] as const;

/**
 * How the codes of a gallery lie.
 * uniform: every bit random. clustered: 200 random centres, each bit flipped with 3 %. collapsed: 100 distinct codes, as
 * trained networks make them. equal: one code. twoFarGroups: a centre and its complement, up to 4 flips each.
 * heavyChunks: the lower half of all codes is the same, the rest random, so that half of the chunks tell nothing.
 */
export type CodeDistribution = (typeof CODE_DISTRIBUTIONS)[number];

/** A small, fast generator with a seed (xorshift32). */
export class BenchRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
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
    collapsed: centres.slice(0, COLLAPSED_CODES),
    equal: [first],
    heavyChunks: [first],
    twoFarGroups: [first, far],
  }[distribution];
  for (let i = 0; i < count; i++)
    codes.set(choices[random.u32() % choices.length] as Uint8Array, i * codeBytes);
  if (distribution === 'clustered') flipShare(random, codes, FLIP_SHARE);
  if (distribution === 'twoFarGroups') {
    for (let i = 0; i < count; i++) {
      for (let flips = random.u32() % 5; flips > 0; flips--) {
        flip(codes, i * codeBytes * 8 + (random.u32() % (codeBytes * 8)));
      }
    }
  }
  if (distribution === 'heavyChunks') {
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
