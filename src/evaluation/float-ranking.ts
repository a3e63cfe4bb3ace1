import type { Ranking } from './exact-ranking.js';

/**
 * Ranks by squared Euclidean distance of embeddings: what the same network can do before the sign throws its
 * magnitudes away. Equal distances keep the gallery's order (canonical tie order) and count as tied.
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
  const order = Array.from({ length: count }, (_, row) => row);
  order.sort((a, b) => (distances[a] as number) - (distances[b] as number) || a - b);
  const groups: { total: number; relevant: number }[] = [];
  let previous = -1;
  for (const row of order) {
    const distance = distances[row] as number;
    if (distance !== previous) groups.push({ total: 0, relevant: 0 });
    const group = groups[groups.length - 1] as { total: number; relevant: number };
    group.total += 1;
    if (labels[row] === label) group.relevant += 1;
    previous = distance;
  }
  return { rows: Int32Array.from(order.slice(0, top)), groups };
}
