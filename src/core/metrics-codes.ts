import type { PackedCodes } from './packed-codes.js';
import { bitOf, popcount32, setBit, zeroCodes } from './packed-codes.js';

/**
 * How many images share each distinct code, largest bucket first. Its length is the number of distinct codes.
 * Few and large buckets mean that the order of results is mostly an order among ties.
 */
export function bucketSizes(codes: PackedCodes): number[] {
  const sizes = new Map<string, number>();
  const bytes = Buffer.from(codes.words.buffer, codes.words.byteOffset, codes.words.byteLength);
  const stride = codes.wordsPerCode * 4;
  for (let row = 0; row < codes.count; row++) {
    const key = bytes.toString('latin1', row * stride, (row + 1) * stride);
    sizes.set(key, (sizes.get(key) ?? 0) + 1);
  }
  return [...sizes.values()].sort((a, b) => b - a);
}

/**
 * The entropy of every bit, 0 to 1 (in bits): 1 where half of the images have it set, 0 where it never changes and
 * so says nothing. Every class counts equally, whatever its size: the share of ones is the mean of the classes'
 * shares.
 * @param labels class numbers from 0, shape [codes.count]
 * @returns shape [codeBits]
 */
export function balancedBitEntropy(codes: PackedCodes, labels: ArrayLike<number>): Float64Array {
  const { ones, counts } = onesByClass(codes, labels);
  const classes = counts.flatMap((count, label) => (count > 0 ? [label] : []));
  const entropies = new Float64Array(codes.codeBits);
  for (let bit = 0; bit < codes.codeBits; bit++) {
    let share = 0;
    for (const label of classes) {
      share += (ones[label * codes.codeBits + bit] as number) / (counts[label] as number) / classes.length;
    }
    entropies[bit] = binaryEntropy(share);
  }
  return entropies;
}

/**
 * The least Hamming distance between the centres of two classes. A class's centre is its majority code: each bit is
 * what at least half of its images have. 0 means that two classes cannot be told apart by their typical code.
 * @param labels class numbers from 0, shape [codes.count]
 * @returns Infinity for fewer than two classes
 */
export function leastCentreDistance(codes: PackedCodes, labels: ArrayLike<number>): number {
  const { ones, counts } = onesByClass(codes, labels);
  const centres = zeroCodes(counts.length, codes.codeBits);
  for (let label = 0; label < counts.length; label++) {
    for (let bit = 0; bit < codes.codeBits; bit++) {
      if (2 * (ones[label * codes.codeBits + bit] as number) >= (counts[label] as number))
        setBit(centres, label, bit);
    }
  }
  const present = counts.flatMap((count, label) => (count > 0 ? [label] : []));
  let least = Infinity;
  for (const a of present) {
    for (const b of present) {
      if (b > a) least = Math.min(least, distanceOfRows(centres, a, b));
    }
  }
  return least;
}

/** -p log2 p - (1 - p) log2 (1 - p), and 0 at both ends. */
export function binaryEntropy(p: number): number {
  if (p <= 0 || p >= 1) return 0;
  return -p * Math.log2(p) - (1 - p) * Math.log2(1 - p);
}

function distanceOfRows(codes: PackedCodes, a: number, b: number): number {
  let distance = 0;
  for (let word = 0; word < codes.wordsPerCode; word++) {
    const left = codes.words[a * codes.wordsPerCode + word] as number;
    distance += popcount32(left ^ (codes.words[b * codes.wordsPerCode + word] as number));
  }
  return distance;
}

/** How many images of each class there are and how many of them have each bit set; ones has shape [classes, bits]. */
function onesByClass(
  codes: PackedCodes,
  labels: ArrayLike<number>,
): { ones: Float64Array; counts: number[] } {
  let classCount = 0;
  for (let row = 0; row < codes.count; row++) classCount = Math.max(classCount, (labels[row] as number) + 1);
  const ones = new Float64Array(classCount * codes.codeBits);
  const counts = new Array<number>(classCount).fill(0);
  for (let row = 0; row < codes.count; row++) {
    const label = labels[row] as number;
    counts[label] = (counts[label] as number) + 1;
    for (let bit = 0; bit < codes.codeBits; bit++) {
      const at = label * codes.codeBits + bit;
      ones[at] = (ones[at] as number) + bitOf(codes, row, bit);
    }
  }
  return { ones, counts };
}
