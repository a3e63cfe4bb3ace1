import { once } from 'node:events';
import type { SearchRequest } from '../src/generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../src/generated/kinscan/v1/SearchResponse.js';
import type { SearchStreamRequest } from '../src/generated/kinscan/v1/SearchStreamRequest.js';
import type { SearchStreamResponse__Output } from '../src/generated/kinscan/v1/SearchStreamResponse.js';
import { openGrpcClient, type GrpcClient } from '../src/runtime/grpc-client.js';
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
  /** rpc Search for each query, or one SearchStream for each client. @default 'calls' */
  readonly over?: 'calls' | 'streams';
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
  const { address, requests, seconds, queriesMin = 0 } = options;
  const clients = Array.from({ length: options.clients }, () =>
    openGrpcClient({
      ...{ address, service: 'Retrieval', messageBytesMax: MESSAGE_BYTES_MAX_DEFAULT },
      ...{ unavailable: 'NOT_READY', ownConnection: true },
    }),
  );
  const askers = clients.map(options.over === 'streams' ? askOverStream : askByCalls);
  const [atClient, total, scatter]: [number[], number[], number[]] = [[], [], []];
  const startMs = performance.now();
  let next = 0;
  try {
    const askOn = async (ask: Ask) => {
      while (atClient.length < queriesMin || performance.now() - startMs < seconds * 1_000) {
        const request = { ...requests[next++ % requests.length], requireComplete: true };
        const askedMs = performance.now();
        const response = await ask(request);
        atClient.push(performance.now() - askedMs);
        total.push(response.timings?.totalMs ?? Number.NaN);
        scatter.push(response.timings?.searchMs ?? Number.NaN);
      }
    };
    await Promise.all(askers.map(askOn));
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

type Ask = (request: SearchRequest) => Promise<SearchResponse__Output>;

function askByCalls(client: GrpcClient): Ask {
  return (request) => client.call('Search', request, { timeoutMs: TIMEOUT_MS });
}

/** One query at a time, so the next response is the query's. */
function askOverStream(client: GrpcClient): Ask {
  const stream = client.duplex<SearchStreamRequest, SearchStreamResponse__Output>('SearchStream');
  // between two queries nobody waits for it: closing the client ends the stream with an error
  stream.on('error', () => undefined);
  return async (search) => {
    // once() also rejects where the stream breaks off
    const answered = once(stream, 'data') as Promise<[SearchStreamResponse__Output]>;
    stream.write({ requestId: '', search });
    const [{ result, error }] = await answered;
    if (!result) throw new Error(`a query failed: ${error?.code ?? 'no result'}`);
    return result;
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
