import type { Ranking } from './exact-ranking.js';

/**
 * Ranks by squared Euclidean distance of embeddings: what the same network can do before the sign throws its
 * magnitudes away. Equal distances keep the gallery's order (canonical tie order) and count as tied; whatever lies
 * beyond the first `top` and those tied with them makes one last group.
 * @param gallery shape [n, dimensions], in canonical tie order
 * @param labels class of each gallery row, shape [n]
 * @param query shape [dimensions]
 */
export function rankByEmbedding(
  gallery: Float32Array,
  labels: Int32Array,
  query: Float32Array,
  label: number,
  top: number,
): Ranking {
  const dimensions = query.length;
  const count = labels.length;
  const distances = new Float64Array(count);
  for (let row = 0, at = 0; row < count; row++) {
    let sum = 0;
    for (let i = 0; i < dimensions; i++, at++) {
      const difference = (gallery[at] as number) - (query[i] as number);
      sum += difference * difference;
    }
    distances[row] = sum;
  }
  // Only what can be among the first `top` is put in order; sorting the plain numbers to find that bound is cheap.
  const bound = distances.slice().sort()[Math.min(top, count) - 1] as number;
  const near: number[] = [];
  const rest = { total: 0, relevant: 0 };
  for (let row = 0; row < count; row++) {
    if ((distances[row] as number) <= bound) near.push(row);
    else {
      rest.total += 1;
      if (labels[row] === label) rest.relevant += 1;
    }
  }
  near.sort((a, b) => (distances[a] as number) - (distances[b] as number) || a - b);
  const groups: { total: number; relevant: number }[] = [];
  let previous = -1;
  for (const row of near) {
    const distance = distances[row] as number;
    if (distance !== previous) groups.push({ total: 0, relevant: 0 });
    const group = groups[groups.length - 1] as { total: number; relevant: number };
    group.total += 1;
    if (labels[row] === label) group.relevant += 1;
    previous = distance;
  }
  if (rest.total > 0) groups.push(rest);
  return { rows: Int32Array.from(near.slice(0, top)), groups };
}
