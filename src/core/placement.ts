import { assert } from './errors.js';

/** Which shard servers host which partition; published under an epoch that grows with every change. */
export interface Placement {
  readonly epoch: number;
  /** Shard server ids by partition, preferred replica first; shape [partitionCount][replicas]. */
  readonly replicas: readonly (readonly string[])[];
}

export const PARTITION_COUNT_DEFAULT = 16;
export const PARTITION_COUNT_MAX = 4096;

/**
 * Spreads partitions evenly over the shard servers: partition p goes to server p mod n and, for further replicas, to the
 * ones after it. The same servers give the same placement in whatever order they are named.
 */
export function spreadPartitions(
  shardServerIds: readonly string[],
  partitionCount: number,
  replicaCount = 1,
): Placement {
  assert(shardServerIds.length >= replicaCount, 'a replica needs a shard server of its own');
  const servers = [...shardServerIds].sort();
  const replicas = Array.from({ length: partitionCount }, (_, partition) =>
    Array.from(
      { length: replicaCount },
      (_, replica) => servers[(partition + replica) % servers.length] as string,
    ),
  );
  return { epoch: 1, replicas };
}

/** The partitions that a shard server hosts, ascending. */
export function partitionsOf(placement: Placement, shardServerId: string): number[] {
  return placement.replicas.flatMap((servers, partition) =>
    servers.includes(shardServerId) ? [partition] : [],
  );
}
