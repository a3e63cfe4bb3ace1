import { nearestNeighbourClass } from '../core/metrics-knn.js';
import { averagePrecisionAtKOfTies, averagePrecisionBoundsAtK } from '../core/metrics-ties.js';
import { averagePrecisionAtK, precisionAtK, recallAtK } from '../core/retrieval-metrics.js';
import type { Ranking } from './exact-ranking.js';

/** The numbers of results that the paper's figures 4 and 6 use. */
export const PAPER_CUT_OFFS = [5, 10, 15, 25, 35, 50, 65, 80, 100] as const;

/** How many nearest neighbours vote in `accuracy`. */
export const VOTING_NEIGHBOURS = 10;

/** Values by number of results K, as "5": 0.98. */
export type ByCutOff = Record<string, number>;

export interface RankingSummary {
  /** In canonical order; relevance is "the same class". */
  readonly mapAtK: ByCutOff;
  /** Every group of tied results ordered against, or for, the method; no bounds where K cuts a group (metrics-ties.ts). */
  readonly mapAtKWorstTies: ByCutOff;
  readonly mapAtKBestTies: ByCutOff;
  /** Tied results in the order that gives the least and the greatest AP@K: bounds of every order. */
  readonly mapAtKLowest: ByCutOff;
  readonly mapAtKHighest: ByCutOff;
  readonly precisionAtK: ByCutOff;
  readonly recallAtK: ByCutOff;
  /** Share of queries whose VOTING_NEIGHBOURS nearest results vote for the right class. */
  readonly accuracy: number;
  /** mAP at the largest cut-off, by class number of the queries. */
  readonly mapByClass: readonly number[];
}

/** The cut-offs up to `top`, and `top` itself. */
export function cutOffsUpTo(top: number): number[] {
  const cutOffs = PAPER_CUT_OFFS.filter((k) => k <= top) as number[];
  return cutOffs.includes(top) ? cutOffs : [...cutOffs, top];
}

/** Adds queries up one at a time, so that no ranking has to be kept. */
export class RankingSummarizer {
  readonly #cutOffs: readonly number[];
  readonly #labels: Int32Array;
  readonly #sums: Record<string, Float64Array>;
  readonly #classSums: Float64Array;
  readonly #classCounts: Int32Array;
  #queryCount = 0;
  #rightVotes = 0;

  /** @param labels class of each gallery row */
  constructor(labels: Int32Array, classCount: number, cutOffs: readonly number[]) {
    this.#labels = labels;
    this.#cutOffs = cutOffs;
    this.#classSums = new Float64Array(classCount);
    this.#classCounts = new Int32Array(classCount);
    const names = ['canonical', 'worst', 'best', 'irrelevantFirst', 'relevantFirst', 'precision', 'recall'];
    this.#sums = Object.fromEntries(names.map((name) => [name, new Float64Array(cutOffs.length)]));
  }

  /** @param label the query's class */
  add(ranking: Ranking, label: number): void {
    const labels = Array.from(ranking.rows, (row) => this.#labels[row] as number);
    const relevance = labels.map((other) => (other === label ? 1 : 0));
    const relevantTotal = ranking.groups.reduce((sum, group) => sum + group.relevant, 0);
    this.#cutOffs.forEach((k, i) => {
      const bounds = averagePrecisionBoundsAtK(ranking.groups, k);
      this.#addTo('canonical', i, averagePrecisionAtK(relevance, k));
      this.#addTo('irrelevantFirst', i, averagePrecisionAtKOfTies(ranking.groups, k, 'AGAINST'));
      this.#addTo('relevantFirst', i, averagePrecisionAtKOfTies(ranking.groups, k, 'FOR'));
      this.#addTo('worst', i, bounds.lowest);
      this.#addTo('best', i, bounds.highest);
      this.#addTo('precision', i, precisionAtK(relevance, k));
      this.#addTo('recall', i, recallAtK(relevance, k, relevantTotal));
    });
    this.#queryCount += 1;
    if (nearestNeighbourClass(labels, VOTING_NEIGHBOURS) === label) this.#rightVotes += 1;
    const largest = this.#cutOffs[this.#cutOffs.length - 1] as number;
    this.#classSums[label] = (this.#classSums[label] as number) + averagePrecisionAtK(relevance, largest);
    this.#classCounts[label] = (this.#classCounts[label] as number) + 1;
  }

  summary(): RankingSummary {
    return {
      mapAtK: this.#means('canonical'),
      mapAtKLowest: this.#means('worst'),
      mapAtKHighest: this.#means('best'),
      mapAtKWorstTies: this.#means('irrelevantFirst'),
      mapAtKBestTies: this.#means('relevantFirst'),
      precisionAtK: this.#means('precision'),
      recallAtK: this.#means('recall'),
      accuracy: rounded(this.#queryCount === 0 ? 0 : this.#rightVotes / this.#queryCount),
      mapByClass: Array.from(this.#classSums, (sum, label) => {
        const count = this.#classCounts[label] as number;
        return rounded(count === 0 ? 0 : sum / count);
      }),
    };
  }

  #addTo(name: string, index: number, value: number): void {
    const sums = this.#sums[name] as Float64Array;
    sums[index] = (sums[index] as number) + value;
  }

  #means(name: string): ByCutOff {
    const sums = this.#sums[name] as Float64Array;
    const count = Math.max(1, this.#queryCount);
    return Object.fromEntries(this.#cutOffs.map((k, i) => [String(k), rounded((sums[i] as number) / count)]));
  }
}

/** Six decimals: below that, figures of a thousand queries say nothing. */
export function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
