import type { ShardSearchRequest } from '../src/generated/kinscan/v1/ShardSearchRequest.js';
import type { ShardSearchResponse__Output } from '../src/generated/kinscan/v1/ShardSearchResponse.js';
import type { StatusResponse__Output } from '../src/generated/kinscan/v1/StatusResponse.js';
import { openGrpcClient } from '../src/runtime/grpc-client.js';
import { MESSAGE_BYTES_MAX_DEFAULT } from '../src/runtime/message-limits.js';
import { percentilesOf, type Percentiles } from './query-load.js';

export interface ShardCallsOptions {
  /** Tells where the shard server is and what it hosts. */
  readonly status: StatusResponse__Output;
  readonly codes: readonly Uint8Array[];
  readonly k: number;
  readonly seconds: number;
}

/** One shard server asked directly, one query at a time, as a coordinator asks it. */
export interface ShardCallResult {
  readonly queries: number;
  /** At the caller, over gRPC. */
  readonly latency: Percentiles;
  /** In the index, as the shard server says in its answers: waiting for a search thread and the search. */
  readonly index: Percentiles;
}

const TIMEOUT_MS = 30_000;

/** Asks the first shard server of the placement. @throws KinscanError */
export async function askShard({ status, codes, k, seconds }: ShardCallsOptions): Promise<ShardCallResult> {
  const shardServer = status.partitions[0]?.replicas[0]?.shardServer;
  const address = status.members.find(({ id }) => id === shardServer)?.address ?? '';
  const partitions = status.partitions
    .filter(({ replicas }) => replicas.some((replica) => replica.shardServer === shardServer))
    .map(({ partition }) => partition);
  const client = openGrpcClient({
    ...{ address, service: 'Shard', messageBytesMax: MESSAGE_BYTES_MAX_DEFAULT },
    unavailable: 'SHARD_UNAVAILABLE',
  });
  const [atCaller, index]: [number[], number[]] = [[], []];
  const endMs = performance.now() + seconds * 1_000;
  try {
    for (let next = 0; performance.now() < endMs; next++) {
      const request: ShardSearchRequest = {
        code: { bits: codes[next % codes.length] as Uint8Array, codeBits: status.codeBits },
        ...{ k, partitions, ranking: 'RANKING_HAMMING', includeRecords: true },
        placementEpoch: status.placementEpoch,
        modelVersion: status.modelVersion,
      };
      const askedMs = performance.now();
      const response = await client.call<ShardSearchRequest, ShardSearchResponse__Output>('Search', request, {
        timeoutMs: TIMEOUT_MS,
      });
      atCaller.push(performance.now() - askedMs);
      index.push(response.searchMs);
    }
  } finally {
    client.close();
  }
  return { queries: atCaller.length, latency: percentilesOf(atCaller), index: percentilesOf(index) };
}
