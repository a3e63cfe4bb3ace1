import { balancedBitEntropy, bucketSizes } from '../core/metrics-codes.js';
import { averagePrecisionAtKOfTies, type TieGroup } from '../core/metrics-ties.js';
import { hammingDistancesTo, packEmbeddings } from '../core/packed-codes.js';
import { averagePrecisionAtK } from '../core/retrieval-metrics.js';
import { seededRandom } from './seeded-random.js';

/** How well codes retrieve their own class; every image queries all the others. */
export interface RetrievalScore {
  /** mAP@100, tied results in a random order fixed by a seed. */
  readonly mapAt100: number;
  /** mAP@100 with every group of tied results ordered against the method. */
  readonly mapAt100WorstTies: number;
  readonly distinctCodes: number;
  /** Least entropy of a bit, in bits, every class weighing the same. */
  readonly bitEntropyMin: number;
}

const RANKS = 100;

/**
 * Relevant means of the same class; AP@100 divides by the relevant results among the first 100 (PAPER.md, "Metrics").
 * @param embeddings shape [labels.length, codeBits]
 */
export function scoreRetrieval(
  embeddings: Float32Array,
  codeBits: number,
  labels: Uint16Array,
): RetrievalScore {
  const codes = packEmbeddings(embeddings, codeBits);
  const distances = new Uint16Array(codes.count);
  const tieOrder = seededRandom(0, 'ties').shuffle([...labels.keys()]);
  let sum = 0;
  let sumWorst = 0;
  for (let query = 0; query < codes.count; query++) {
    hammingDistancesTo(codes, query, codes, distances);
    const ranked = rankedLists(distances, labels, query, codeBits, tieOrder);
    sum += averagePrecisionAtK(ranked.relevance, RANKS);
    sumWorst += averagePrecisionAtKOfTies(ranked.groups, RANKS, 'AGAINST');
  }
  return {
    mapAt100: sum / codes.count,
    mapAt100WorstTies: sumWorst / codes.count,
    distinctCodes: bucketSizes(codes).length,
    bitEntropyMin: Math.min(...balancedBitEntropy(codes, labels)),
  };
}

/** The first 100 results as relevance by rank, and all results as groups of equal distance; the query left out. */
function rankedLists(
  distances: Uint16Array,
  labels: Uint16Array,
  query: number,
  codeBits: number,
  tieOrder: readonly number[],
): { relevance: number[]; groups: TieGroup[] } {
  const groups = Array.from({ length: codeBits + 1 }, () => ({
    total: 0,
    relevant: 0,
    first: [] as number[],
  }));
  for (const index of tieOrder) {
    if (index === query) continue;
    const group = groups[distances[index] as number] as (typeof groups)[number];
    const relevant = labels[index] === labels[query] ? 1 : 0;
    group.total++;
    group.relevant += relevant;
    if (group.first.length < RANKS) group.first.push(relevant);
  }
  return { relevance: groups.flatMap((group) => group.first).slice(0, RANKS), groups };
}
