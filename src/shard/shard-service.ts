import { KinscanError, toKinscanError } from '../core/errors.js';
import { packHitList } from '../core/hit-list.js';
import type { FetchRequest__Output } from '../generated/kinscan/v1/FetchRequest.js';
import type { FetchResponse } from '../generated/kinscan/v1/FetchResponse.js';
import type { ShardSearchRequest__Output } from '../generated/kinscan/v1/ShardSearchRequest.js';
import type { ShardSearchResponse } from '../generated/kinscan/v1/ShardSearchResponse.js';
import type { StatsRequest__Output } from '../generated/kinscan/v1/StatsRequest.js';
import type { StatsResponse } from '../generated/kinscan/v1/StatsResponse.js';
import { duplex, unary, type CallContext, type ServiceHandlers } from '../runtime/grpc-server.js';
import type { Logger } from '../runtime/log.js';
import type { ShardReplicas } from './shard-replicas.js';
import { checkSearchRequest } from './search/search-request.js';
import { searchStreamHandler } from './search-stream.js';
import type { ShardMetrics } from './shard-metrics.js';

const FETCH_IDS_MAX = 10_000;
/** Part of the time limit kept for the answer, so that a late position is told as such and not as a timeout. */
const ANSWER_RESERVE = 0.1;

export interface ShardServiceOptions {
  readonly shardServer: string;
  /** undefined until the cluster has settings, a model and a placement, and the store is open. */
  readonly replicas: () => ShardReplicas | undefined;
  readonly metrics: ShardMetrics;
  readonly log: Logger;
  /** Aborts when the process takes no new work. */
  readonly drainSignal: AbortSignal;
}

/** Handlers of the Shard service (proto/kinscan/v1/shard.proto). */
export function shardServiceHandlers(options: ShardServiceOptions): ServiceHandlers {
  const { log, drainSignal } = options;
  const search = (request: ShardSearchRequest__Output, context: CallContext) =>
    measuredSearch(options, request, context);
  const fetch = (request: FetchRequest__Output) => fetchRecords(options, request);
  return {
    Search: unary(log, search),
    SearchStream: duplex(log, searchStreamHandler({ search, fetch, drainSignal, log })),
    Fetch: unary(log, fetch),
    Stats: unary<StatsRequest__Output, StatsResponse>(log, () => Promise.resolve(stats(options))),
  };
}

async function measuredSearch(
  options: ShardServiceOptions,
  request: ShardSearchRequest__Output,
  context: CallContext,
): Promise<ShardSearchResponse> {
  const { metrics } = options;
  const endTimer = metrics.searchSeconds.startTimer();
  try {
    const response = await search(options, request, context);
    endTimer();
    return response;
  } catch (error) {
    metrics.refusedSearches.inc({ code: toKinscanError(error).code });
    throw error;
  }
}

async function search(
  options: ShardServiceOptions,
  request: ShardSearchRequest__Output,
  { signal, timeoutMs }: CallContext,
): Promise<ShardSearchResponse> {
  const replicas = readyReplicas(options);
  const { query, token } = checkSearchRequest(request, replicas, signal);
  await replicas.applier.board.waitFor(token, timeoutMs * (1 - ANSWER_RESERVE), signal);
  const found = await replicas.search.search(query);
  // saves the coordinator a second call where few hits are wanted
  const records = request.includeRecords ? await replicas.recordsOfHits(found, request) : [];
  const { hits, searchMs } = found;
  return { hits: packHitList(hits), partitions: [...query.partitions], searchMs, records: [...records] };
}

async function fetchRecords(
  options: ShardServiceOptions,
  request: FetchRequest__Output,
): Promise<FetchResponse> {
  const { imageIds } = request;
  if (imageIds.length < 1 || imageIds.length > FETCH_IDS_MAX) {
    throw new KinscanError('INVALID_ARGUMENT', `1 to ${FETCH_IDS_MAX} image ids, not ${imageIds.length}`);
  }
  return { records: await readyReplicas(options).fetch(request) };
}

/** Answered before it is ready, too: it tells how far it is. */
function stats(options: ShardServiceOptions): StatsResponse {
  const replicas = options.replicas();
  return {
    shardServer: options.shardServer,
    placementEpoch: replicas?.placementEpoch ?? 0,
    replicas: (replicas?.applier.partitions() ?? []).map((partition) => ({
      partition,
      images: replicas?.applier.imageCount(partition) ?? 0,
      streamSequence: replicas?.applier.board.sequenceOf(partition) ?? 0,
    })),
    memoryBytes: process.memoryUsage.rss(),
  };
}

function readyReplicas({ replicas }: ShardServiceOptions): ShardReplicas {
  const ready = replicas();
  if (ready?.isReady !== true) {
    throw new KinscanError('NOT_READY', 'this shard server has not caught up with the log yet', {
      retryAfterMs: 200,
    });
  }
  return ready;
}
