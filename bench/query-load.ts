import type { SearchRequest } from '../src/generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../src/generated/kinscan/v1/SearchResponse.js';
import { openGrpcClient } from '../src/runtime/grpc-client.js';
import { MESSAGE_BYTES_MAX_DEFAULT } from '../src/runtime/message-limits.js';
import { percentile } from './percentile.js';

export interface QueryLoadOptions {
  /** host:port of a coordinator. */
  readonly address: string;
  /** Asked in turns. */
  readonly requests: readonly SearchRequest[];
  /** Clients, each with a connection of its own and one query at a time. */
  readonly clients: number;
  /** It ends after this time and not before `queriesMin`. */
  readonly seconds: number;
  /** @default 0 */
  readonly queriesMin?: number;
}

export interface Percentiles {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface QueryLoadResult {
  readonly queries: number;
  readonly queriesPerSecond: number;
  /** At the client, over gRPC. */
  readonly latency: Percentiles;
  /** As the coordinator says in its answers. */
  readonly coordinatorTotal: Percentiles;
  readonly coordinatorScatter: Percentiles;
}

const TIMEOUT_MS = 30_000;

/** Puts a search service under load. @throws KinscanError where a query fails or is not answered by all partitions */
export async function loadWithQueries(options: QueryLoadOptions): Promise<QueryLoadResult> {
  const { address, requests, clients: clientCount, seconds, queriesMin = 0 } = options;
  const clients = Array.from({ length: clientCount }, () =>
    openGrpcClient({
      ...{ address, service: 'Retrieval', messageBytesMax: MESSAGE_BYTES_MAX_DEFAULT },
      ...{ unavailable: 'NOT_READY', ownConnection: true },
    }),
  );
  const [atClient, total, scatter]: [number[], number[], number[]] = [[], [], []];
  const startMs = performance.now();
  let next = 0;
  try {
    const ask = async (client: (typeof clients)[number]) => {
      while (atClient.length < queriesMin || performance.now() - startMs < seconds * 1_000) {
        const request = { ...requests[next++ % requests.length], requireComplete: true };
        const askedMs = performance.now();
        const response = await client.call<SearchRequest, SearchResponse__Output>('Search', request, {
          timeoutMs: TIMEOUT_MS,
        });
        atClient.push(performance.now() - askedMs);
        total.push(response.timings?.totalMs ?? Number.NaN);
        scatter.push(response.timings?.searchMs ?? Number.NaN);
      }
    };
    await Promise.all(clients.map(ask));
  } finally {
    clients.forEach((client) => client.close());
  }
  return {
    queries: atClient.length,
    queriesPerSecond: (atClient.length / (performance.now() - startMs)) * 1_000,
    latency: percentilesOf(atClient),
    coordinatorTotal: percentilesOf(total),
    coordinatorScatter: percentilesOf(scatter),
  };
}

export function percentilesOf(samples: readonly number[]): Percentiles {
  return {
    p50Ms: percentile(samples, 50),
    p90Ms: percentile(samples, 90),
    p99Ms: percentile(samples, 99),
    maxMs: percentile(samples, 100),
  };
}
