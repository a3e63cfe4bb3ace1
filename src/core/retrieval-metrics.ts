/**
 * Metrics of one ranked list (PAPER.md, "Metrics", equations 7 to 9).
 *
 * A list is given as relevance levels by rank: relevance[0] belongs to the best result. 0 means irrelevant; with
 * levels 0 and 1 the values are the usual ones, larger levels are graded relevance. A list shorter than K is taken
 * as it is: what was not returned counts as not relevant.
 */

/**
 * AP@K (equation 8): the sum over relevant ranks p <= K of prep@p, divided by the number of relevant results M_r
 * among the first K. 0 where there is none.
 *
 * Not the only AP@K in use: dividing by min(K, relevant items in the gallery) instead would also punish relevant
 * items that stayed outside the first K.
 * @param relevance levels by rank, each >= 0
 */
export function averagePrecisionAtK(relevance: ArrayLike<number>, k: number): number {
  const end = Math.min(k, relevance.length);
  let levelSum = 0;
  let precisionSum = 0;
  let relevantCount = 0;
  for (let rank = 1; rank <= end; rank++) {
    const level = relevance[rank - 1] as number;
    if (level <= 0) continue;
    levelSum += level;
    relevantCount += 1;
    precisionSum += levelSum / rank;
  }
  return relevantCount === 0 ? 0 : precisionSum / relevantCount;
}

/** mAP@K (equation 7): the mean of AP@K over queries; 0 where there is no query. */
export function meanAveragePrecisionAtK(relevanceLists: readonly ArrayLike<number>[], k: number): number {
  return meanOf(relevanceLists.map((relevance) => averagePrecisionAtK(relevance, k)));
}

/** prep@p (equation 9): the mean relevance level of the first p results; the usual precision with levels 0 and 1. */
export function precisionAtK(relevance: ArrayLike<number>, k: number): number {
  const end = Math.min(k, relevance.length);
  let levelSum = 0;
  for (let i = 0; i < end; i++) levelSum += relevance[i] as number;
  return k === 0 ? 0 : levelSum / k;
}

/**
 * The share of all relevant items that stand among the first K; 0 where nothing is relevant.
 * @param relevantTotal items of the gallery that are relevant to the query
 */
export function recallAtK(relevance: ArrayLike<number>, k: number, relevantTotal: number): number {
  const end = Math.min(k, relevance.length);
  let found = 0;
  for (let i = 0; i < end; i++) if ((relevance[i] as number) > 0) found += 1;
  return relevantTotal === 0 ? 0 : found / relevantTotal;
}

/** The arithmetic mean; 0 of nothing. */
export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return values.length === 0 ? 0 : sum / values.length;
}
