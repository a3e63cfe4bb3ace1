import { KinscanError } from '../core/errors.js';
import type { HitList } from '../core/hit-list.js';
import { validateImageId } from '../core/image-id.js';
import type { Cursor, Cursor__Output } from '../generated/kinscan/v1/Cursor.js';
import type { SearchRangeRequest__Output } from '../generated/kinscan/v1/SearchRangeRequest.js';
import type { SearchRangeResponse } from '../generated/kinscan/v1/SearchRangeResponse.js';
import { CALL_TIMEOUT_MAX_MS, type CallContext } from '../runtime/grpc-server.js';
import { Deadline } from './deadline.js';
import { FlowLimiter } from './flow-limiter.js';
import { gatherHits } from './gather-hits.js';
import { prepareQuery, type PreparedQuery } from './prepare-query.js';
import { refuseIncomplete } from './refuse-incomplete.js';
import { scatter } from './scatter.js';
import type { SearchServiceOptions } from './search-service.js';

export const PAGE_HITS_MAX = 1_000;
export const PAGE_HITS_DEFAULT = 200;
/** A client that takes no page for so long is let go of. */
const SEND_TIMEOUT_MS = 60_000;
const OVERLOADED_RETRY_HINT_MS = 1_000;

export interface RangeServiceOptions extends SearchServiceOptions {
  readonly streamsMax: number;
  readonly drainSignal: AbortSignal;
}

type Send = (page: SearchRangeResponse) => Promise<void>;

/**
 * Answers range searches page by page:
 *
 *     search a page behind the last hit ──▶ send it, wait until the client is ready for more ──▶ and again
 *
 * Nothing is kept between pages but the place of the last hit. A range counts among the queries under way while a page is
 * searched, not while its client reads.
 */
export class RangeService {
  readonly #options: RangeServiceOptions;
  readonly #streams: FlowLimiter;

  constructor(options: RangeServiceOptions) {
    this.#options = options;
    this.#streams = new FlowLimiter({ countMax: options.streamsMax, bytesMax: Infinity });
  }

  /** The rpc SearchRange. @throws KinscanError as retrieval.proto says */
  async stream(request: SearchRangeRequest__Output, send: Send, context: CallContext): Promise<void> {
    const bytes = request.image?.length ?? 0;
    if (!this.#streams.tryAcquire(0)) throw overloaded();
    try {
      if (!this.#options.limiter.tryAcquire(bytes)) throw overloaded();
      const range = await this.#start(request, context).finally(() => this.#options.limiter.release(bytes));
      await this.#sendPages(range, send, context);
    } catch (error) {
      this.#options.metrics.searchFailures.inc();
      throw error;
    } finally {
      this.#streams.release(0);
    }
  }

  async #start(request: SearchRangeRequest__Output, context: CallContext): Promise<Range> {
    const { cluster, sources, clock } = this.#options;
    const pageSize = request.pageSize === 0 ? PAGE_HITS_DEFAULT : request.pageSize;
    if (pageSize > PAGE_HITS_MAX) {
      throw new KinscanError('INVALID_ARGUMENT', `page_size is 1 to ${PAGE_HITS_MAX}, not ${pageSize}`);
    }
    const after = request.after === null ? null : checkedPlace(request.after);
    const deadline = new Deadline(clock, Math.min(context.timeoutMs, CALL_TIMEOUT_MAX_MS), context.signal);
    const query = await prepareQuery(request, cluster, sources, deadline);
    // the call holds its request to the end, which may be long after the image was encoded
    delete request.image;
    return {
      query,
      pageSize,
      after,
      left: request.limit === 0 ? Infinity : request.limit,
      requireComplete: request.requireComplete,
    };
  }

  async #sendPages(range: Range, send: Send, { signal, timeoutMs }: CallContext): Promise<void> {
    const { clock, limiter, drainSignal } = this.#options;
    const endMs = clock.monotonicMs() + timeoutMs;
    for (let { after, left } = range; ;) {
      if (drainSignal.aborted) throw new KinscanError('DRAINING', 'the coordinator is shutting down');
      if (!(await limiter.acquire(0, signal))) throw signal.reason as Error;
      const pageTimeoutMs = Math.min(endMs - clock.monotonicMs(), CALL_TIMEOUT_MAX_MS);
      const deadline = new Deadline(clock, Math.max(0, pageTimeoutMs), signal);
      const k = Math.min(range.pageSize, left);
      const { page, winners } = await this.#page(range, k, after, deadline).finally(() => limiter.release(0));
      left -= winners.count;
      const isLast = winners.count < k || left === 0;
      await this.#sendInTime(send, page);
      if (isLast) return;
      after = placeOfLast(winners);
    }
  }

  async #page(range: Range, k: number, after: Cursor | null, deadline: Deadline): Promise<Page> {
    const { cluster, shardServers, sources, metrics } = this.#options;
    const { query, requireComplete } = range;
    const scattered = { ...query, k, groupBy: 'GROUP_BY_UNSPECIFIED' as const, after };
    const gathered = await scatter(scattered, cluster, shardServers, deadline);
    const { hits, winners, partitionsAnswered, failure } = await gatherHits({
      answers: gathered.answers,
      k,
      includeThumbnails: query.includeThumbnails,
      partitionCount: cluster.partitionCount,
      fetcher: sources.fetcher,
      deadline,
    });
    const partitionsTotal = cluster.partitionCount;
    refuseIncomplete(requireComplete, partitionsAnswered, partitionsTotal, failure ?? gathered.failure);
    if (partitionsAnswered < partitionsTotal) metrics.partialAnswers.inc();
    metrics.rangePages.inc();
    const exhausted = winners.count < k && partitionsAnswered === partitionsTotal;
    const { modelVersion, code, fineCode } = query;
    const counts = { partitionsAnswered, partitionsTotal, exhausted };
    return { page: { hits, ...counts, modelVersion, code, fineCode }, winners };
  }

  async #sendInTime(send: Send, page: SearchRangeResponse): Promise<void> {
    const stop = new AbortController();
    const late = this.#options.clock.sleep(SEND_TIMEOUT_MS, stop.signal).then(() => {
      if (!stop.signal.aborted) throw new KinscanError('DEADLINE_EXCEEDED', 'the client takes no pages');
    });
    try {
      await Promise.race([send(page), late]);
    } finally {
      stop.abort();
    }
  }
}

/** A range search, checked and encoded. */
interface Range {
  readonly query: PreparedQuery;
  readonly pageSize: number;
  readonly after: Cursor | null;
  /** Hits wanted, at most. */
  readonly left: number;
  readonly requireComplete: boolean;
}

interface Page {
  readonly page: SearchRangeResponse;
  /** Its hits, those that were deleted meanwhile included. */
  readonly winners: HitList;
}

function checkedPlace({ distance, fineDistance, imageId }: Cursor__Output): Cursor {
  if (distance > DISTANCE_MAX || fineDistance > DISTANCE_MAX) {
    throw new KinscanError('INVALID_ARGUMENT', `the distances of a place are 0 to ${DISTANCE_MAX} bits`);
  }
  return { distance, fineDistance, imageId: validateImageId(imageId) };
}

/** No code is longer. */
const DISTANCE_MAX = 512;

function placeOfLast(hits: HitList): Cursor {
  const last = hits.count - 1;
  return {
    distance: hits.distances[last] as number,
    fineDistance: hits.fineDistances[last] as number,
    imageId: hits.imageIds[last] as string,
  };
}

function overloaded(): KinscanError {
  return new KinscanError('OVERLOADED', 'too many range searches or queries at a time', {
    retryAfterMs: OVERLOADED_RETRY_HINT_MS,
  });
}
