/**
 * What tied distances do to AP@K.
 *
 * Trained codes collapse onto few values, so whole groups of results stand at one distance and their order is not
 * the method's doing. A ranking is given here as its tied groups, nearest first; K may fall inside a group:
 *
 *   distance 0           distance 1              distance 4
 *   | 30 of 30 relevant | 3 of 40 relevant  ...K...   |  0 of 900 relevant |
 *                                            ^ only some of this group are among the first K
 */
export interface TieGroup {
  /** Results at this distance. */
  readonly total: number;
  /** How many of them are relevant, 0 to total. */
  readonly relevant: number;
}

/** AGAINST: irrelevant results first in every group; FOR: relevant ones first. */
export type TieOrder = 'AGAINST' | 'FOR';

/** The part of a ranking in front of the group that K cuts (or the whole, where K cuts none). */
interface Uncut {
  readonly ranks: number;
  readonly relevant: number;
  readonly precisionSum: number;
  /** The cut group, if K falls strictly inside one. */
  readonly cut: TieGroup | undefined;
}

/**
 * AP@K (relevance 0 or 1, divided by the number of relevant results in the first K) with every group of tied results
 * ordered against or for the method. The same as sorting by (distance, relevance) and taking `averagePrecisionAtK`.
 *
 * Not always the least or greatest value that an order of ties can give: an irrelevant-first group that K cuts hides
 * its relevant results from the denominator too. `averagePrecisionBoundsAtK` gives the true bounds.
 */
export function averagePrecisionAtKOfTies(groups: readonly TieGroup[], k: number, order: TieOrder): number {
  const uncut = scanUncutGroups(groups, k, order);
  const { cut, ranks, relevant } = uncut;
  if (cut === undefined) return relevant === 0 ? 0 : uncut.precisionSum / relevant;
  const slots = k - ranks;
  const shown = order === 'FOR' ? Math.min(cut.relevant, slots) : leastShown(cut, slots);
  return averagePrecisionWithShown(uncut, slots, shown, order);
}

/**
 * Worst and best ties: the least and the greatest AP@K over all orders of results within tied groups: every order's AP@K, the canonical
 * one's included, lies between them.
 *
 * In a group that K does not cut the number of relevant results is fixed, so putting them last (first) makes each
 * term of the sum as small (large) as it can be. In the cut group the number of relevant results among the first K is
 * free within limits, and both the sum and the denominator depend on it: each possible number is tried.
 */
export function averagePrecisionBoundsAtK(
  groups: readonly TieGroup[],
  k: number,
): { lowest: number; highest: number } {
  const extreme = (order: TieOrder, pick: (a: number, b: number) => number): number => {
    const uncut = scanUncutGroups(groups, k, order);
    const { cut, ranks, relevant } = uncut;
    if (cut === undefined) return relevant === 0 ? 0 : uncut.precisionSum / relevant;
    const slots = k - ranks;
    const most = Math.min(cut.relevant, slots);
    const least = leastShown(cut, slots);
    let best = averagePrecisionWithShown(uncut, slots, least, order);
    for (let shown = least + 1; shown <= most; shown++) {
      best = pick(best, averagePrecisionWithShown(uncut, slots, shown, order));
    }
    return best;
  };
  return { lowest: extreme('AGAINST', Math.min), highest: extreme('FOR', Math.max) };
}

function scanUncutGroups(groups: readonly TieGroup[], k: number, order: TieOrder): Uncut {
  let ranks = 0;
  let relevant = 0;
  let precisionSum = 0;
  for (const group of groups) {
    if (ranks >= k) break;
    if (ranks + group.total > k) return { ranks, relevant, precisionSum, cut: group };
    precisionSum += precisionSumWithin(ranks, relevant, group.total, group.relevant, order);
    ranks += group.total;
    relevant += group.relevant;
  }
  return { ranks, relevant, precisionSum, cut: undefined };
}

/** The fewest relevant results that `slots` places of the group can hold. */
function leastShown(group: TieGroup, slots: number): number {
  return Math.max(0, slots - (group.total - group.relevant));
}

function averagePrecisionWithShown(uncut: Uncut, slots: number, shown: number, order: TieOrder): number {
  const relevant = uncut.relevant + shown;
  if (relevant === 0) return 0;
  const within = precisionSumWithin(uncut.ranks, uncut.relevant, slots, shown, order);
  return (uncut.precisionSum + within) / relevant;
}

/** The sum of precisions at `relevant` ranks that stand last (AGAINST) or first (FOR) among `places` ranks. */
function precisionSumWithin(
  ranksBefore: number,
  relevantBefore: number,
  places: number,
  relevant: number,
  order: TieOrder,
): number {
  const start = order === 'AGAINST' ? ranksBefore + places - relevant : ranksBefore;
  let sum = 0;
  for (let i = 1; i <= relevant; i++) sum += (relevantBefore + i) / (start + i);
  return sum;
}
