import { spreadPartitions } from '../core/placement.js';
import type { ClusterState } from '../runtime/cluster-state.js';
import type { Logger } from '../runtime/log.js';
import type { ClusterView } from './cluster-view.js';

export interface PlacementMakerOptions {
  readonly cluster: Pick<ClusterView, 'hasPlacement' | 'members' | 'partitionCount' | 'refreshPlacement'>;
  readonly state: Pick<ClusterState, 'createOrRead'>;
  /** Shard servers to wait for. */
  readonly shardServerCount: number;
  readonly replicaCount: number;
  readonly log: Logger;
}

/**
 * Places the partitions of a new gallery, once, as soon as enough shard servers are there. Several coordinators may try:
 * the first to store its placement wins, the others take that one.
 */
export class PlacementMaker {
  readonly #options: PlacementMakerOptions;

  constructor(options: PlacementMakerOptions) {
    this.#options = options;
  }

  /** To be called again and again. @returns whether there is a placement */
  async tryPlace(): Promise<boolean> {
    const { cluster, state, shardServerCount, replicaCount, log } = this.#options;
    if (cluster.hasPlacement) return true;
    const ids = cluster.members().flatMap(({ id, role }) => (role === 'shard' ? [id] : []));
    if (ids.length < shardServerCount) return false;
    const placement = spreadPartitions(ids, cluster.partitionCount, replicaCount);
    const { epoch } = await state.createOrRead('placement', placement);
    log.info({ epoch, shardServers: ids.length }, 'partitions placed');
    await cluster.refreshPlacement();
    return true;
  }
}
