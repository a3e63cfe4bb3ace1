import type { IndexHits } from './index-api.js';

/** An answer in a task's result: rank u32 = distance << 16 | fineDistance, partition u32, tieKey u64. */
export const ENTRY_BYTES = 16;

/** The columns of `count` answers that lie at entry `from` of a task's result (SearchTaskResult.entries). */
export function unpackHits(entries: Uint8Array, from: number, count: number): IndexHits {
  const hits = {
    count,
    partitions: new Uint16Array(count),
    distances: new Uint16Array(count),
    fineDistances: new Uint16Array(count),
    tieKeys: new BigUint64Array(count),
  };
  if (count === 0) return hits;
  const words = new Uint32Array(entries.buffer, entries.byteOffset, entries.byteLength / 4);
  const tieKeyWords = new Uint32Array(hits.tieKeys.buffer);
  for (let i = 0, at = from * 4; i < count; i++, at += 4) {
    const rank = words[at] as number;
    hits.distances[i] = rank >>> 16;
    hits.fineDistances[i] = rank & 0xffff;
    hits.partitions[i] = words[at + 1] as number;
    tieKeyWords[i * 2] = words[at + 2] as number;
    tieKeyWords[i * 2 + 1] = words[at + 3] as number;
  }
  return hits;
}

/** The first k of several lists of entries, each in canonical order, in canonical order. */
export function mergeEntries(lists: readonly Uint8Array[], k: number): Uint8Array {
  const sources = lists.map((bytes) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4));
  const next = sources.map(() => 0);
  const total = sources.reduce((sum, words) => sum + words.length / 4, 0);
  const merged = new Uint32Array(Math.min(k, total) * 4);
  for (let to = 0; to < merged.length; to += 4) {
    let best = -1;
    for (let i = 0; i < sources.length; i++) {
      if ((next[i] as number) === sources[i]?.length) continue;
      if (best < 0 || isBefore(sources, next, i, best)) best = i;
    }
    const from = next[best] as number;
    merged.set((sources[best] as Uint32Array).subarray(from, from + 4), to);
    next[best] = from + 4;
  }
  return new Uint8Array(merged.buffer);
}

// Whether the next entry of list a comes before that of list b.
function isBefore(sources: readonly Uint32Array[], next: readonly number[], a: number, b: number): boolean {
  const x = sources[a] as Uint32Array;
  const y = sources[b] as Uint32Array;
  const i = next[a] as number;
  const j = next[b] as number;
  for (const word of [0, 3, 2]) {
    const difference = (x[i + word] as number) - (y[j + word] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
