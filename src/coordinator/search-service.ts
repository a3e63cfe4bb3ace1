import { KinscanError } from '../core/errors.js';
import type { GroupBy } from '../generated/kinscan/v1/GroupBy.js';
import type { SearchRequest__Output } from '../generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse } from '../generated/kinscan/v1/SearchResponse.js';
import type { Clock } from '../runtime/clock.js';
import type { ClusterView } from './cluster-view.js';
import type { CoordinatorMetrics } from './coordinator-metrics.js';
import { Deadline } from './deadline.js';
import type { FlowLimiter } from './flow-limiter.js';
import { gatherHits } from './gather-hits.js';
import { prepareQuery } from './prepare-query.js';
import type { QueryCodeSources } from './query-code.js';
import { refuseIncomplete } from './refuse-incomplete.js';
import { scatter } from './scatter.js';
import type { ShardServers } from './shard-servers.js';

export const K_MAX = 10_000;
const OVERLOADED_RETRY_HINT_MS = 100;

export interface SearchServiceOptions {
  readonly cluster: ClusterView;
  readonly shardServers: ShardServers;
  readonly sources: QueryCodeSources;
  /** Over all clients of this coordinator. */
  readonly limiter: FlowLimiter;
  readonly clock: Clock;
  readonly metrics: CoordinatorMetrics;
}

export interface SearchContext {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Answers queries: code, scatter, merge, metadata of the winners (DESIGN.md section 5). */
export class SearchService {
  readonly #options: SearchServiceOptions;

  constructor(options: SearchServiceOptions) {
    this.#options = options;
  }

  /** @throws KinscanError as rpc Search says in retrieval.proto */
  async search(request: SearchRequest__Output, context: SearchContext): Promise<SearchResponse> {
    const { limiter, metrics, clock } = this.#options;
    const bytes = request.image?.length ?? 0;
    if (!limiter.tryAcquire(bytes)) {
      throw new KinscanError('OVERLOADED', 'too many queries at a time', {
        retryAfterMs: OVERLOADED_RETRY_HINT_MS,
      });
    }
    const startMs = clock.monotonicMs();
    try {
      const deadline = new Deadline(clock, context.timeoutMs, context.signal);
      const response = await this.#answer(request, deadline, startMs);
      metrics.searchSeconds.observe({ query: request.query ?? '' }, (clock.monotonicMs() - startMs) / 1000);
      return response;
    } catch (error) {
      metrics.searchFailures.inc();
      throw error;
    } finally {
      limiter.release(bytes);
    }
  }

  async #answer(
    request: SearchRequest__Output,
    deadline: Deadline,
    startMs: number,
  ): Promise<SearchResponse> {
    const { cluster, shardServers, sources, clock, metrics } = this.#options;
    const { k, groupBy, includeThumbnails, requireComplete } = request;
    if (k < 1 || k > K_MAX) throw new KinscanError('INVALID_K', `k is 1 to ${K_MAX}, not ${k}`);
    checkGroupBy(groupBy);
    const query = await prepareQuery(request, cluster, sources, deadline);
    const encodedMs = clock.monotonicMs();
    const gathered = await scatter({ ...query, k, groupBy, after: null }, cluster, shardServers, deadline);
    const searchedMs = clock.monotonicMs();
    const { hits, partitionsAnswered, failure } = await gatherHits({
      answers: gathered.answers,
      k,
      includeThumbnails,
      partitionCount: cluster.partitionCount,
      fetcher: sources.fetcher,
      deadline,
    });
    const partitionsTotal = cluster.partitionCount;
    refuseIncomplete(requireComplete, partitionsAnswered, partitionsTotal, failure ?? gathered.failure);
    if (partitionsAnswered < partitionsTotal) metrics.partialAnswers.inc();
    return {
      hits,
      partitionsAnswered,
      partitionsTotal,
      modelVersion: query.modelVersion,
      code: query.code,
      fineCode: query.fineCode,
      timings: {
        encodeMs: request.query === 'code' ? 0 : encodedMs - startMs,
        searchMs: searchedMs - encodedMs,
        totalMs: clock.monotonicMs() - startMs,
      },
    };
  }
}

const GROUP_BY: ReadonlySet<unknown> = new Set<GroupBy>([
  'GROUP_BY_UNSPECIFIED',
  'GROUP_BY_STUDY',
  'GROUP_BY_SERIES',
  'GROUP_BY_PATIENT',
]);

/** A number that the enum does not name arrives as it is. @throws KinscanError INVALID_ARGUMENT */
function checkGroupBy(groupBy: unknown): void {
  if (!GROUP_BY.has(groupBy)) throw new KinscanError('INVALID_ARGUMENT', 'group_by is none of its values');
}
