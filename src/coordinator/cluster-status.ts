import type { PartitionStatus } from '../generated/kinscan/v1/PartitionStatus.js';
import type { ReplicaStatus } from '../generated/kinscan/v1/ReplicaStatus.js';
import type { StatsResponse__Output } from '../generated/kinscan/v1/StatsResponse.js';
import type { StatusResponse } from '../generated/kinscan/v1/StatusResponse.js';
import type { JetStreamManager } from '../runtime/nats.js';
import { STREAM } from '../runtime/streams.js';
import type { ClusterView } from './cluster-view.js';
import type { CodesLog } from './codes-log.js';
import type { ShardServers } from './shard-servers.js';

/** A shard server that does not answer within it is shown as not live. */
const STATS_TIMEOUT_MS = 2_000;

export interface ClusterStatusSources {
  readonly cluster: ClusterView;
  readonly shardServers: ShardServers;
  readonly codes: CodesLog;
  readonly manager: JetStreamManager;
}

/** Members, placement, counts and lag. @throws NatsError where NATS does not answer */
export async function clusterStatus(sources: ClusterStatusSources): Promise<StatusResponse> {
  const { cluster, shardServers, manager } = sources;
  const fromNats = Promise.all([
    manager.streams.info(STREAM.images),
    manager.streams.info(STREAM.deadLetters),
    sources.codes.lastSequences(),
  ]);
  const [[images, deadLetters, lastSequences], stats] = await Promise.all([
    fromNats,
    shardServers.statsOfAll(STATS_TIMEOUT_MS),
  ]);
  const placement = cluster.hasPlacement ? cluster.placement() : undefined;
  const model = cluster.hasModel ? cluster.model() : undefined;
  const partitions = await Promise.all(
    (placement?.replicas ?? []).map((hosts, partition) =>
      partitionStatus(partition, hosts, stats, lastSequences[partition] ?? 0, sources),
    ),
  );
  return {
    images: partitions.reduce((sum, partition) => sum + imagesOf(partition), 0),
    partitions,
    members: cluster.members(),
    deadLetters: deadLetters.state.messages,
    modelVersion: model?.modelVersion ?? '',
    codeBits: model?.codeBits ?? 0,
    placementEpoch: placement?.epoch ?? 0,
    imagesQueued: images.state.messages,
  };
}

async function partitionStatus(
  partition: number,
  hosts: readonly string[],
  stats: ReadonlyMap<string, StatsResponse__Output>,
  lastSequence: number,
  { cluster, codes }: ClusterStatusSources,
): Promise<PartitionStatus> {
  const replicas = hosts.map(async (shardServer): Promise<ReplicaStatus> => {
    const replica = stats.get(shardServer)?.replicas.find((candidate) => candidate.partition === partition);
    const lastHeard = cluster.lastKnown(shardServer)?.positions?.[String(partition)];
    const position = replica?.streamSequence ?? lastHeard ?? 0;
    const lag = await codes.lag(partition, position, lastSequence);
    return { shardServer, images: replica?.images ?? 0, lag, live: replica !== undefined };
  });
  return { partition, replicas: await Promise.all(replicas) };
}

/** The replica that has come furthest counts. */
function imagesOf({ replicas = [] }: PartitionStatus): number {
  const live = replicas.filter((replica) => replica.live === true);
  const furthest = live.sort((a, b) => Number(a.lag) - Number(b.lag))[0];
  return Number(furthest?.images ?? 0);
}
