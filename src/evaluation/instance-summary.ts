import { rounded } from './ranking-summary.js';

/** HAMMING and FINE as in a search; FINE_ALONE leaves the code out and shows what the fine code could do by itself. */
export const INSTANCE_RANKINGS = ['HAMMING', 'FINE', 'FINE_ALONE'] as const;
export type InstanceRanking = (typeof INSTANCE_RANKINGS)[number];

/** What became of one changed image. */
export interface InstanceQuery {
  /** Class number of the original. */
  readonly label: number;
  /** Bits of the code that the change flipped. */
  readonly codeDistance: number;
  /** Rank of the original, from 1, ties in canonical order. */
  readonly rankByRanking: Readonly<Record<InstanceRanking, number>>;
}

export interface InstanceFigures {
  /** Share of queries whose original comes first. */
  readonly firstShare: number;
  readonly amongFirst10Share: number;
  readonly meanReciprocalRank: number;
}

export interface InstanceClassFigures {
  readonly name: string;
  readonly queries: number;
  readonly sameCodeShare: number;
  readonly firstShare: Readonly<Record<InstanceRanking, number>>;
}

export interface InstanceSummary {
  /** Share of queries with the very code of their original: FINE cannot do much better. */
  readonly sameCodeShare: number;
  /** Queries by the number of bits flipped, 0 first. */
  readonly flippedBits: readonly number[];
  readonly rankings: Readonly<Record<InstanceRanking, InstanceFigures>>;
  /** Classes without a query are left out. */
  readonly byClass: readonly InstanceClassFigures[];
}

/** @param queries at least one */
export function summarizeInstances(
  queries: readonly InstanceQuery[],
  classes: readonly string[],
): InstanceSummary {
  const flippedBits: number[] = new Array<number>(
    1 + Math.max(...queries.map(({ codeDistance }) => codeDistance)),
  ).fill(0);
  for (const { codeDistance } of queries)
    flippedBits[codeDistance] = (flippedBits[codeDistance] as number) + 1;
  const byClass = classes.flatMap((name, label) => {
    const members = queries.filter((query) => query.label === label);
    if (members.length === 0) return [];
    const firstShare = byRanking((ranking) => firstShareOf(members, ranking));
    return [{ name, queries: members.length, sameCodeShare: sameCodeShareOf(members), firstShare }];
  });
  return {
    sameCodeShare: sameCodeShareOf(queries),
    flippedBits,
    rankings: byRanking((ranking) => ({
      firstShare: firstShareOf(queries, ranking),
      amongFirst10Share: meanOf(queries, (query) => (query.rankByRanking[ranking] <= 10 ? 1 : 0)),
      meanReciprocalRank: meanOf(queries, (query) => 1 / query.rankByRanking[ranking]),
    })),
    byClass,
  };
}

function byRanking<T>(valueOf: (ranking: InstanceRanking) => T): Record<InstanceRanking, T> {
  return { HAMMING: valueOf('HAMMING'), FINE: valueOf('FINE'), FINE_ALONE: valueOf('FINE_ALONE') };
}

function firstShareOf(queries: readonly InstanceQuery[], ranking: InstanceRanking): number {
  return meanOf(queries, (query) => (query.rankByRanking[ranking] === 1 ? 1 : 0));
}

function sameCodeShareOf(queries: readonly InstanceQuery[]): number {
  return meanOf(queries, ({ codeDistance }) => (codeDistance === 0 ? 1 : 0));
}

function meanOf(queries: readonly InstanceQuery[], valueOf: (query: InstanceQuery) => number): number {
  return rounded(queries.reduce((sum, query) => sum + valueOf(query), 0) / queries.length);
}
