import type { KinscanError } from '../core/errors.js';
import { toKinscanError, type ErrorCode } from '../core/errors.js';
import { unpackHitList, type HitList } from '../core/hit-list.js';
import type { Code } from '../generated/kinscan/v1/Code.js';
import type { Cursor } from '../generated/kinscan/v1/Cursor.js';
import type { Filter } from '../generated/kinscan/v1/Filter.js';
import type { GroupBy } from '../generated/kinscan/v1/GroupBy.js';
import type { PartitionPosition } from '../generated/kinscan/v1/PartitionPosition.js';
import type { ClusterView } from './cluster-view.js';
import type { Deadline } from './deadline.js';
import type { ShardServers } from './shard-servers.js';

/** A query as all shard servers get it. */
export interface ScatterQuery {
  readonly code: Code;
  /** Empty bits where the ranking does not use it. */
  readonly fineCode: Code | null;
  readonly k: number;
  readonly maxDistance: number | undefined;
  readonly ranking: 'RANKING_HAMMING' | 'RANKING_FINE';
  readonly modelVersion: string;
  readonly token: readonly PartitionPosition[];
  readonly includeThumbnails: boolean;
  /** null: every image passes. */
  readonly filter: Filter | null;
  readonly groupBy: GroupBy;
  /** Only what lies behind it; null: from the beginning. */
  readonly after: Cursor | null;
}

/** What one shard server found in some partitions. */
export interface ShardAnswer {
  readonly shardServer: string;
  readonly partitions: readonly number[];
  readonly hits: HitList;
  /** Encoded ImageRecords of the hits, in their order, where the query is for few; empty where the image was removed since. */
  readonly records: readonly Uint8Array[] | undefined;
}

export interface Gathered {
  readonly answers: readonly ShardAnswer[];
  /** The last failure, where partitions are missing. */
  readonly failure: KinscanError | undefined;
}

/** Every replica may be tried, and a stale placement refreshed, within so many rounds. */
const ROUNDS_MAX = 4;
/**
 * Up to so many hits over all shard servers come with their records: most are thrown away, but a shard server has them at
 * hand, and a round trip is saved. 5 MB, with texts at their largest 56 MB; thumbnails are read and weigh far more.
 */
const RECORDS_WITH_HITS_MAX = 20_000;
const THUMBNAILS_WITH_HITS_MAX = 256;
/** A slow shard server may use so much of the time left; then the answer goes out without it. */
const TIME_SHARE = 0.9;

/** Faults of the query itself: every shard server would say the same. */
const QUERY_FAULTS: ReadonlySet<ErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'INVALID_K',
  'INVALID_FILTER',
  'MODEL_VERSION_MISMATCH',
  'CODE_LENGTH_MISMATCH',
]);

/**
 * Asks one replica of every partition, all shard servers at once, and other replicas for what is missing.
 * @throws KinscanError what is wrong with the query; OVERLOADED where only an overloaded shard server is left for a
 *   partition: answering less under load would hide the load
 */
export async function scatter(
  query: ScatterQuery,
  cluster: ClusterView,
  shardServers: ShardServers,
  deadline: Deadline,
): Promise<Gathered> {
  const answers: ShardAnswer[] = [];
  const tried = new Map<number, Set<string>>();
  let pending = Array.from({ length: cluster.partitionCount }, (_, partition) => partition);
  let failure: KinscanError | undefined;
  let refreshed = false;
  for (let round = 0; round < ROUNDS_MAX && pending.length > 0 && deadline.leftMs > 0; round++) {
    const plan = planRound(pending, shardServers, tried);
    if (plan.size === 0) break;
    const hitsMax = query.includeThumbnails ? THUMBNAILS_WITH_HITS_MAX : RECORDS_WITH_HITS_MAX;
    const includeRecords = query.k * plan.size <= hitsMax;
    const outcomes = await Promise.all(
      [...plan].map(([id, partitions]) =>
        ask(id, partitions, { ...query, includeRecords }, cluster, shardServers, deadline),
      ),
    );
    let isStale = false;
    for (const outcome of outcomes) {
      if ('hits' in outcome) answers.push(outcome);
      else {
        failure = outcome.failure;
        if (QUERY_FAULTS.has(failure.code)) throw failure;
        isStale ||= failure.code === 'STALE_PLACEMENT';
      }
    }
    const answered = new Set(answers.flatMap(({ partitions }) => partitions));
    pending = pending.filter((partition) => !answered.has(partition));
    if (isStale && !refreshed) {
      refreshed = true;
      await cluster.refreshPlacement();
      tried.clear();
    }
  }
  if (pending.length > 0 && failure?.code === 'OVERLOADED') throw failure;
  return { answers, failure: pending.length === 0 ? undefined : failure };
}

/** Partitions by the shard server to ask: the best replica that was not tried. */
function planRound(
  partitions: readonly number[],
  shardServers: ShardServers,
  tried: Map<number, Set<string>>,
): Map<string, number[]> {
  const order = shardServers.replicaOrder();
  const plan = new Map<string, number[]>();
  for (const partition of partitions) {
    const before = tried.get(partition);
    const id = order(partition).find((replica) => before?.has(replica) !== true);
    if (id === undefined) continue;
    tried.set(partition, (before ?? new Set()).add(id));
    const planned = plan.get(id);
    if (planned === undefined) plan.set(id, [partition]);
    else planned.push(partition);
  }
  return plan;
}

async function ask(
  shardServer: string,
  partitions: readonly number[],
  query: ScatterQuery & { readonly includeRecords: boolean },
  cluster: ClusterView,
  shardServers: ShardServers,
  deadline: Deadline,
): Promise<ShardAnswer | { readonly failure: KinscanError }> {
  try {
    const wanted = new Set(partitions);
    const { maxDistance, ...everywhere } = query;
    const request = {
      ...everywhere,
      ...(maxDistance === undefined ? {} : { maxDistance }),
      partitions: [...partitions],
      placementEpoch: cluster.placement().epoch,
      token: query.token.filter(({ partition }) => wanted.has(partition ?? 0)),
    };
    const response = await shardServers.search(shardServer, request, deadline.callOptions(TIME_SHARE));
    return {
      shardServer,
      partitions: response.partitions.filter((partition) => wanted.has(partition)),
      hits: unpackHitList(response.hits),
      // one that knows nothing of records with hits sends none: they are fetched then
      records: response.records.length > 0 ? response.records : undefined,
    };
  } catch (thrown) {
    return { failure: toKinscanError(thrown) };
  }
}
