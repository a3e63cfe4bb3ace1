import type { SearchRequest } from '../generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../generated/kinscan/v1/SearchResponse.js';
import type { Clock } from '../runtime/clock.js';
import { openGrpcClient, type GrpcClient } from '../runtime/grpc-client.js';
import type { Logger } from '../runtime/log.js';

export interface SearchWarmUpOptions {
  /** This coordinator's own host:port. */
  readonly address: string;
  readonly messageBytesMax: number;
  readonly codeBits: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the coordinator drains. */
  readonly signal: AbortSignal;
}

/** Rounds of one query by id and one by image: V8 compiles what has run some hundred times. */
const ROUNDS = 300;
const EMPTY_INDEX_POLL_MS = 5_000;
const QUERY_TIMEOUT_MS = 5_000;
const HITS = 10;

/**
 * Asks this coordinator queries of its own, one at a time, so that the first users do not wait for the just-in-time
 * compilers of the processes that answer: cold, a query takes twice as long. Begins once the index holds an image, ends
 * after ROUNDS, at the first failure or with the signal. Nobody waits for it.
 */
export async function warmUpSearch(options: SearchWarmUpOptions): Promise<void> {
  const { address, messageBytesMax, clock, log, signal } = options;
  const client = openGrpcClient({ address, service: 'Retrieval', messageBytesMax, unavailable: 'NOT_READY' });
  try {
    const startMs = clock.monotonicMs();
    const queries = await queriesFrom(client, options);
    for (let round = 0; round < ROUNDS && !signal.aborted; round++) {
      for (const query of queries) await ask(client, query, signal);
    }
    log.debug({ ms: Math.round(clock.monotonicMs() - startMs) }, 'search is warmed up');
  } catch (error) {
    log.debug({ err: error }, 'warming up search ended early');
  } finally {
    client.close();
  }
}

/** An image of the index, by id and by its thumbnail; waits until there is one. */
async function queriesFrom(client: GrpcClient, options: SearchWarmUpOptions): Promise<SearchRequest[]> {
  const { codeBits, clock, signal } = options;
  const code = { bits: new Uint8Array(Math.ceil(codeBits / 8)), codeBits };
  while (!signal.aborted) {
    const { hits } = await ask(client, { code, k: 1, includeThumbnails: true }, signal);
    const [hit] = hits;
    if (hit !== undefined) {
      return [
        { imageId: hit.imageId, k: HITS },
        { image: hit.thumbnail, k: HITS },
      ];
    }
    await clock.sleep(EMPTY_INDEX_POLL_MS, signal);
  }
  return [];
}

function ask(
  client: GrpcClient,
  request: SearchRequest,
  signal: AbortSignal,
): Promise<SearchResponse__Output> {
  return client.call<SearchRequest, SearchResponse__Output>('Search', request, {
    timeoutMs: QUERY_TIMEOUT_MS,
    signal,
  });
}
