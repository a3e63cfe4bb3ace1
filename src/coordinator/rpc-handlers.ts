import { KinscanError } from '../core/errors.js';
import type { Clock } from '../runtime/clock.js';
import {
  duplex,
  serverStream,
  unary,
  type CallContext,
  type ServiceHandlers,
  type ServiceName,
  type UnaryHandler,
} from '../runtime/grpc-server.js';
import type { Logger } from '../runtime/log.js';
import { clusterStatus, type ClusterStatusSources } from './cluster-status.js';
import type { DeadLettersService } from './dead-letters-service.js';
import { Deadline } from './deadline.js';
import type { DeleteService } from './delete-service.js';
import { getImage } from './get-image.js';
import type { IngestService } from './ingest-service.js';
import { withNats } from './nats-faults.js';
import type { RangeService } from './range-service.js';
import type { RecordFetcher } from './record-fetcher.js';
import type { SearchService } from './search-service.js';
import { searchStreamHandler, type SearchStreamOptions } from './search-stream.js';

export interface CoordinatorServices {
  readonly ingest: IngestService;
  readonly search: SearchService;
  readonly range: RangeService;
  readonly deletion: DeleteService;
  readonly deadLetters: DeadLettersService;
  readonly fetcher: RecordFetcher;
  readonly status: ClusterStatusSources;
  readonly searchStream: SearchStreamOptions;
  readonly clock: Clock;
  readonly drainSignal: AbortSignal;
  readonly log: Logger;
}

/** The public services Retrieval and DeadLetters. */
export function rpcHandlers(services: CoordinatorServices): Partial<Record<ServiceName, ServiceHandlers>> {
  const { ingest, search, range, deletion, deadLetters, fetcher, clock, drainSignal, log } = services;
  const serve = <Request, Response>(handler: UnaryHandler<Request, Response>) =>
    unary<Request, Response>(log, async (request, context) => {
      if (drainSignal.aborted) {
        throw new KinscanError('DRAINING', 'the coordinator is shutting down', { retryAfterMs: 1_000 });
      }
      return withNats(() => handler(request, context));
    });
  const deadlineOf = ({ timeoutMs, signal }: CallContext) => new Deadline(clock, timeoutMs, signal);
  return {
    Retrieval: {
      Ingest: duplex(log, ingest.serve),
      Search: serve(search.search.bind(search)),
      SearchStream: duplex(log, searchStreamHandler(services.searchStream)),
      SearchRange: serverStream(log, (request: Parameters<typeof range.stream>[0], send, context) =>
        withNats(() => range.stream(request, send, context)),
      ),
      GetImage: serve((request: Parameters<typeof getImage>[0], context) =>
        getImage(request, fetcher, deadlineOf(context)),
      ),
      Delete: serve(deletion.delete.bind(deletion)),
      Status: serve(() => clusterStatus(services.status)),
    },
    DeadLetters: {
      ListDeadLetters: serve(deadLetters.list.bind(deadLetters)),
      GetDeadLetter: serve(deadLetters.get.bind(deadLetters)),
      RetryDeadLetters: serve(deadLetters.retry.bind(deadLetters)),
      DropDeadLetters: serve(deadLetters.drop.bind(deadLetters)),
    },
  };
}
