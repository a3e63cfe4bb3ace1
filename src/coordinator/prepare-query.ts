import { KinscanError } from '../core/errors.js';
import { checkSearchFilter } from '../core/search-filter.js';
import type { SearchRequest__Output } from '../generated/kinscan/v1/SearchRequest.js';
import type { ModelSettings } from '../runtime/cluster-state.js';
import type { ClusterView } from './cluster-view.js';
import type { Deadline } from './deadline.js';
import { queryCodeOf, type QueryCode, type QueryCodeSources, type QueryRequest } from './query-code.js';
import { resolveFilter } from './query-filter.js';
import type { ScatterQuery } from './scatter.js';

/** What a search and a range search have in common. */
export type Question = QueryRequest &
  Pick<SearchRequest__Output, 'ranking' | 'filter' | 'token' | 'includeThumbnails'> & {
    readonly maxDistance?: number | undefined;
  };

/** A question as shard servers are asked it, but for how much of the answer is wanted. */
export interface PreparedQuery extends Omit<ScatterQuery, 'k' | 'groupBy' | 'after' | 'code'> {
  readonly code: QueryCode['code'];
}

/**
 * Checks a question and turns its query into a code.
 * @throws KinscanError as rpc Search says in retrieval.proto, but for k
 */
export async function prepareQuery(
  question: Question,
  cluster: ClusterView,
  sources: QueryCodeSources,
  deadline: Deadline,
): Promise<PreparedQuery> {
  if (question.token.some(({ partition }) => partition >= cluster.partitionCount)) {
    throw new KinscanError('INVALID_ARGUMENT', `the token names a partition that does not exist`);
  }
  if (question.filter !== null) checkSearchFilter(question.filter);
  const model = cluster.model();
  cluster.placement();
  checkMaxDistance(question.maxDistance, model);
  const query = await queryCodeOf(question, model, sources, deadline);
  const ranking = rankingOf(question, query);
  return {
    code: query.code,
    fineCode: ranking === 'RANKING_FINE' ? query.fineCode : null,
    maxDistance: question.maxDistance,
    ranking,
    modelVersion: model.modelVersion,
    token: question.token,
    includeThumbnails: question.includeThumbnails,
    filter: resolveFilter(question.filter, query.metadata),
  };
}

function checkMaxDistance(maxDistance: number | undefined, { codeBits }: ModelSettings): void {
  if (maxDistance === undefined || maxDistance <= codeBits) return;
  throw new KinscanError('INVALID_ARGUMENT', `max_distance is 0 to ${codeBits} bits, not ${maxDistance}`);
}

/** Fine codes rank where query and model have them and the client does not say otherwise. */
function rankingOf({ ranking }: Question, { fineCode }: QueryCode): 'RANKING_HAMMING' | 'RANKING_FINE' {
  if (ranking === 'RANKING_FINE' && fineCode === null) {
    throw new KinscanError('INVALID_ARGUMENT', 'the query has no fine code: RANKING_FINE cannot be had');
  }
  return ranking === 'RANKING_HAMMING' || fineCode === null ? 'RANKING_HAMMING' : 'RANKING_FINE';
}
