const kept = new Map<string, Uint32Array>();

/**
 * `length` words to work with, whatever was in them before; by the name of what they hold, of which there is one at a time
 * on a thread. They are kept for the next rebuild: allocated anew each time, the working memory of rebuilds is freed late and
 * in pieces that the allocator keeps (70 MB for partitions of 625,000 rows).
 */
export function scratchWords(name: string, length: number): Uint32Array {
  let words = kept.get(name);
  if (words === undefined || words.length < length) {
    words = new Uint32Array(Math.ceil(length * 1.125));
    kept.set(name, words);
  }
  return words.subarray(0, length);
}
