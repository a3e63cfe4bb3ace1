import { bucketCount, type ChunkCosts } from './probe-cost.js';

/**
 * Where the threshold is expected to end: the distance within which k rows are expected, judging by those met so far. Chances
 * are those of a code whose differing bits lie anywhere: probes have met it unless each chunk holds as many of them as radii
 * were done. Rather too small, by the spread of such an estimate: a scan begun is not left again, probing is. Only costs depend on this, never an answer.
 * @param counts rows met, by distance
 * @param done radii done per chunk
 * @param threshold the present one, which is never exceeded
 */
export function expectedThreshold(
  counts: Uint32Array,
  k: number,
  chunks: readonly ChunkCosts[],
  done: readonly number[],
  threshold: number,
): number {
  const all = waysToDiffer(chunks, undefined);
  const unmet = waysToDiffer(chunks, done);
  let rows = 0;
  let variance = 0;
  for (let distance = 0; distance < threshold; distance++) {
    const metShare = 1 - (unmet[distance] as number) / (all[distance] as number);
    if (metShare > 0) {
      rows += (counts[distance] as number) / metShare;
      variance += (counts[distance] as number) / metShare ** 2;
    }
    if (rows + Math.sqrt(variance) >= k) return distance;
  }
  return threshold;
}

// By d: in how many ways d bits can differ, at least done[c] of them in chunk c.
function waysToDiffer(chunks: readonly ChunkCosts[], done: readonly number[] | undefined): Float64Array {
  let ways = Float64Array.of(1);
  chunks.forEach(({ bits }, c) => {
    const next = new Float64Array(ways.length + bits);
    for (let differing = done?.[c] ?? 0; differing <= bits; differing++) {
      const here = bucketCount(bits, differing);
      for (let d = 0; d < ways.length; d++) {
        next[d + differing] = (next[d + differing] as number) + (ways[d] as number) * here;
      }
    }
    ways = next;
  });
  return ways;
}
