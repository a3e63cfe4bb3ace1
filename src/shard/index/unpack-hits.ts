import type { IndexHits } from './index-api.js';

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
