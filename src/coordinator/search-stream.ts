import { KinscanError } from '../core/errors.js';
import type { SearchStreamRequest__Output } from '../generated/kinscan/v1/SearchStreamRequest.js';
import type { SearchStreamResponse } from '../generated/kinscan/v1/SearchStreamResponse.js';
import { CALL_TIMEOUT_MAX_MS, type DuplexHandler } from '../runtime/grpc-server.js';
import type { Logger } from '../runtime/log.js';
import { errorDetailOf } from '../runtime/error-detail.js';
import { FlowLimiter } from './flow-limiter.js';
import { serveRequestStream, type Admitted } from './request-stream.js';
import type { SearchService } from './search-service.js';

export interface SearchStreamOptions {
  readonly service: SearchService;
  readonly searchesPerStreamMax: number;
  readonly searchBytesInFlightMax: number;
  readonly drainSignal: AbortSignal;
  readonly log: Logger;
}

/** The rpc SearchStream: a stream with its share under way is not read further; above the total, OVERLOADED is answered. */
export function searchStreamHandler(
  options: SearchStreamOptions,
): DuplexHandler<SearchStreamRequest__Output, SearchStreamResponse> {
  const { service, drainSignal, log } = options;
  const answer = async (
    { requestId, search }: SearchStreamRequest__Output,
    signal: AbortSignal,
  ): Promise<SearchStreamResponse> => {
    try {
      if (search === null) throw new KinscanError('INVALID_ARGUMENT', 'the search is missing');
      return { requestId, result: await service.search(search, { timeoutMs: CALL_TIMEOUT_MAX_MS, signal }) };
    } catch (thrown) {
      return { requestId, error: errorDetailOf(thrown, log) };
    }
  };
  return async (call, signal) => {
    if (drainSignal.aborted) throw new KinscanError('DRAINING', 'the coordinator is shutting down');
    const share = new FlowLimiter({
      countMax: options.searchesPerStreamMax,
      bytesMax: options.searchBytesInFlightMax,
    });
    await serveRequestStream<SearchStreamRequest__Output, SearchStreamResponse>({
      call,
      signal,
      drainSignal,
      admit: async (request): Promise<Admitted<SearchStreamResponse> | undefined> => {
        const bytes = request.search?.image?.length ?? 0;
        if (!(await share.acquire(bytes, signal))) return undefined;
        return { response: answer(request, signal).finally(() => share.release(bytes)) };
      },
    });
  };
}
