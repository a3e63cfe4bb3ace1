import type { TestContext } from 'node:test';
import { EMPTY_HIT_LIST, unpackHitList, type HitList } from '../../src/core/hit-list.js';
import { mergeHitLists } from '../../src/core/merge-hit-lists.js';
import { spreadPartitions, type Placement } from '../../src/core/placement.js';
import type { FetchRequest } from '../../src/generated/kinscan/v1/FetchRequest.js';
import type { FetchResponse__Output } from '../../src/generated/kinscan/v1/FetchResponse.js';
import type { ImageRecord } from '../../src/generated/kinscan/v1/ImageRecord.js';
import type { ShardSearchRequest } from '../../src/generated/kinscan/v1/ShardSearchRequest.js';
import type { ShardSearchResponse__Output } from '../../src/generated/kinscan/v1/ShardSearchResponse.js';
import type { StatsResponse__Output } from '../../src/generated/kinscan/v1/StatsResponse.js';
import { openClusterState, type ClusterState, type ModelSettings } from '../../src/runtime/cluster-state.js';
import { resolveConfig } from '../../src/runtime/config.js';
import { openGrpcClient, type GrpcClient } from '../../src/runtime/grpc-client.js';
import { createLog } from '../../src/runtime/log.js';
import { connectNats, type NatsConnection } from '../../src/runtime/nats.js';
import { ensureStreams, SUBJECT } from '../../src/runtime/streams.js';
import { SHARD_CONFIG } from '../../src/shard/config.js';
import { startShard, type RunningShard } from '../../src/shard/start-shard.js';
import { startNatsServer, type NatsServer } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitUntil } from '../helpers/wait-until.js';
import { logEntryCodec, MODEL, PARTITION_COUNT, partitionOfId } from './records.js';

const CALL_TIMEOUT_MS = 20_000;

export const quietLog = createLog('test', 'test', 'silent');

/** A real nats-server with the streams and settings of a cluster, and a connection that plays encoder and coordinator. */
export interface TestCluster {
  readonly nats: NatsServer;
  readonly connection: NatsConnection;
  readonly state: ClusterState;
  readonly placement: Placement;
  /** Adds what is to be undone before the cluster itself. */
  readonly undo: ReturnType<typeof undoStack>;
  /** Publishes to the CODES log as an encoder does. @returns the sequence number */
  publishRecord(record: ImageRecord): Promise<number>;
  publishRemoval(imageId: string, revision: number): Promise<number>;
}

/** Undoes things in the opposite order when the test ends: node:test's own hooks run first in, first out. */
export function undoStack(test: Pick<TestContext, 'after'>): (undo: () => Promise<unknown> | void) => void {
  const stack: (() => Promise<unknown> | void)[] = [];
  test.after(async () => {
    for (const undo of stack.reverse()) await undo();
  });
  return (undo) => stack.push(undo);
}

export async function startTestCluster(
  test: Pick<TestContext, 'after'>,
  shardIds: readonly string[],
  model: ModelSettings = MODEL,
): Promise<TestCluster> {
  const undo = undoStack(test);
  const nats = await startNatsServer();
  undo(() => nats.stop());
  const connection = await connectNats({ servers: nats.address, name: 'test', log: quietLog });
  undo(() => connection.close());
  await ensureStreams(connection);
  const state = await openClusterState(connection, quietLog);
  undo(() => state.close());
  const placement = spreadPartitions(shardIds, PARTITION_COUNT);
  await state.createOrRead('collection', { partitionCount: PARTITION_COUNT });
  await state.createOrRead('model', model);
  await state.createOrRead('placement', placement);
  // a publish that the server's death cut off is never answered: find out soon
  const publish = async (subject: string, bytes: Uint8Array) =>
    (await connection.jetstream().publish(subject, bytes, { timeout: 1_000 })).seq;
  return {
    ...{ nats, connection, state, placement, undo },
    publishRecord: (record) =>
      publish(SUBJECT.codes(partitionOfId(record.imageId ?? '')), logEntryCodec.encode({ record })),
    publishRemoval: (imageId, revision) => {
      const subject = imageId.includes('#') ? SUBJECT.codes(partitionOfId(imageId)) : SUBJECT.codesAll;
      return publish(subject, logEntryCodec.encode({ removal: { imageId, revision } }));
    },
  };
}

/** A shard server in this process, with a client. */
export interface TestShard {
  readonly shard: RunningShard;
  readonly client: GrpcClient;
  readonly dataDir: string;
  search(request: ShardSearchRequest, timeoutMs?: number): Promise<HitList>;
  fetch(request: FetchRequest): Promise<FetchResponse__Output>;
  stats(): Promise<StatsResponse__Output>;
  /** May be called again. */
  stop(): Promise<void>;
}

export async function startTestShard(cluster: TestCluster, id: string, dataDir?: string): Promise<TestShard> {
  const folder = dataDir ?? (await temporaryFolder());
  const argv = ['--nats', cluster.nats.address, '--port', '0', '--id', id, '--data-dir', folder];
  const config = resolveConfig(SHARD_CONFIG, { argv, env: {} });
  const shard = await startShard(config, quietLog);
  const client = openGrpcClient({
    address: `127.0.0.1:${shard.port}`,
    service: 'Shard',
    messageBytesMax: 64 * 1024 * 1024,
    unavailable: 'SHARD_UNAVAILABLE',
  });
  const stop = async () => {
    client.close();
    await shard.drain();
  };
  cluster.undo(stop);
  let failure: Error | undefined;
  shard.failed.catch((error: Error) => (failure = error));
  await waitUntil(`${id} is ready`, () => shard.isReady() || failure !== undefined);
  if (failure !== undefined) throw failure;
  const call = <Response>(rpc: string, request: object, timeoutMs = CALL_TIMEOUT_MS): Promise<Response> =>
    client.call(rpc, request, { timeoutMs });
  return {
    ...{ shard, client, dataDir: folder, stop },
    search: async (request, timeoutMs) => {
      const response = await call<ShardSearchResponse__Output>('Search', request, timeoutMs);
      return unpackHitList(response.hits);
    },
    fetch: (request) => call('Fetch', request),
    stats: () => call('Stats', {}),
  };
}

/** Partitions that the placement gives to a shard server. */
export function partitionsOn(placement: Placement, shardId: string): number[] {
  return placement.replicas.flatMap((servers, partition) => (servers.includes(shardId) ? [partition] : []));
}

/** A search of all partitions of one shard server for the code 0. */
export function searchRequest(
  cluster: TestCluster,
  shardId: string,
  overrides: ShardSearchRequest = {},
): ShardSearchRequest {
  return {
    code: { bits: Buffer.alloc(MODEL.codeBits / 8), codeBits: MODEL.codeBits },
    k: 10_000,
    partitions: partitionsOn(cluster.placement, shardId),
    placementEpoch: cluster.placement.epoch,
    modelVersion: MODEL.modelVersion,
    ranking: 'RANKING_HAMMING',
    ...overrides,
  };
}

/** What a coordinator does: ask every shard server and merge. */
export async function scatterSearch(
  cluster: TestCluster,
  shards: ReadonlyMap<string, TestShard>,
  overrides: ShardSearchRequest = {},
): Promise<HitList> {
  const lists = await Promise.all(
    [...shards].map(async ([id, shard]) => {
      const request = searchRequest(cluster, id, overrides);
      const hosted = new Set(request.partitions);
      const token = (overrides.token ?? []).filter(({ partition }) => hosted.has(partition ?? 0));
      return hosted.size === 0 ? EMPTY_HIT_LIST : shard.search({ ...request, token });
    }),
  );
  return mergeHitLists(lists, overrides.k ?? 10_000);
}
