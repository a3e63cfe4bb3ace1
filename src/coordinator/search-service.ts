import { KinscanError } from '../core/errors.js';
import type { SearchRequest__Output } from '../generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse } from '../generated/kinscan/v1/SearchResponse.js';
import type { ModelSettings } from '../runtime/cluster-state.js';
import type { Clock } from '../runtime/clock.js';
import type { ClusterView } from './cluster-view.js';
import type { CoordinatorMetrics } from './coordinator-metrics.js';
import { Deadline } from './deadline.js';
import type { FlowLimiter } from './flow-limiter.js';
import { gatherHits } from './gather-hits.js';
import { queryCodeOf, type QueryCode, type QueryCodeSources } from './query-code.js';
import { scatter, type Gathered } from './scatter.js';
import type { ShardServers } from './shard-servers.js';

export const K_MAX = 10_000;
const OVERLOADED_RETRY_HINT_MS = 100;
const INCOMPLETE_RETRY_HINT_MS = 1_000;

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
    checkRequest(request, cluster.partitionCount);
    const model = cluster.model();
    cluster.placement();
    checkMaxDistance(request.maxDistance, model);
    const query = await queryCodeOf(request, model, sources, deadline);
    const ranking = rankingOf(request, query);
    const encodedMs = clock.monotonicMs();
    const gathered = await scatter(
      {
        code: query.code,
        fineCode: ranking === 'RANKING_FINE' ? query.fineCode : null,
        k: request.k,
        maxDistance: request.maxDistance,
        ranking,
        modelVersion: model.modelVersion,
        token: request.token,
        includeThumbnails: request.includeThumbnails,
      },
      cluster,
      shardServers,
      deadline,
    );
    const searchedMs = clock.monotonicMs();
    const { hits, partitionsAnswered, failure } = await gatherHits({
      answers: gathered.answers,
      k: request.k,
      includeThumbnails: request.includeThumbnails,
      partitionCount: cluster.partitionCount,
      fetcher: sources.fetcher,
      deadline,
    });
    refuseIncomplete(request, partitionsAnswered, cluster.partitionCount, failure ?? gathered.failure);
    if (partitionsAnswered < cluster.partitionCount) metrics.partialAnswers.inc();
    return {
      hits,
      partitionsAnswered,
      partitionsTotal: cluster.partitionCount,
      modelVersion: model.modelVersion,
      code: query.code,
      timings: {
        encodeMs: request.query === 'code' ? 0 : encodedMs - startMs,
        searchMs: searchedMs - encodedMs,
        totalMs: clock.monotonicMs() - startMs,
      },
    };
  }
}

/** @throws KinscanError INVALID_K, INVALID_ARGUMENT */
function checkRequest(request: SearchRequest__Output, partitionCount: number): void {
  if (request.k < 1 || request.k > K_MAX)
    throw new KinscanError('INVALID_K', `k is 1 to ${K_MAX}, not ${request.k}`);
  if (request.token.some(({ partition }) => partition >= partitionCount)) {
    throw new KinscanError('INVALID_ARGUMENT', `the token names a partition that does not exist`);
  }
}

function checkMaxDistance(maxDistance: number | undefined, { codeBits }: ModelSettings): void {
  if (maxDistance === undefined || maxDistance <= codeBits) return;
  throw new KinscanError('INVALID_ARGUMENT', `max_distance is 0 to ${codeBits} bits, not ${maxDistance}`);
}

/** Fine codes rank where query and model have them and the client does not say otherwise. */
function rankingOf(
  { ranking }: SearchRequest__Output,
  { fineCode }: QueryCode,
): 'RANKING_HAMMING' | 'RANKING_FINE' {
  if (ranking === 'RANKING_FINE' && fineCode === null) {
    throw new KinscanError('INVALID_ARGUMENT', 'the query has no fine code: RANKING_FINE cannot be had');
  }
  return ranking === 'RANKING_HAMMING' || fineCode === null ? 'RANKING_HAMMING' : 'RANKING_FINE';
}

/** Never silently partial (G3): nothing at all is an error, less than all is one where the client said so. */
function refuseIncomplete(
  request: SearchRequest__Output,
  partitionsAnswered: number,
  partitionsTotal: number,
  failure: Gathered['failure'],
): void {
  if (partitionsAnswered === partitionsTotal) return;
  const options = { cause: failure, retryAfterMs: failure?.retryAfterMs ?? INCOMPLETE_RETRY_HINT_MS };
  if (partitionsAnswered === 0 && failure !== undefined && !request.requireComplete) throw failure;
  if (partitionsAnswered === 0 || request.requireComplete) {
    const message = `${partitionsAnswered} of ${partitionsTotal} partitions answered`;
    throw new KinscanError('INCOMPLETE_RESULT', message, options);
  }
}
