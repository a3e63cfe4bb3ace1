import type { JetStreamManager } from '../runtime/nats.js';
import type { Logger } from '../runtime/log.js';
import { STREAM, SUBJECT } from '../runtime/streams.js';
import type { ClusterView } from './cluster-view.js';

export interface LogTrimmerOptions {
  readonly cluster: Pick<ClusterView, 'hasPlacement' | 'placement' | 'members' | 'partitionCount'>;
  readonly streams: Pick<JetStreamManager['streams'], 'purge'>;
  /** Entries that are kept behind the slowest replica, per partition on average. */
  readonly codesKeepPerPartition: number;
  readonly log: Logger;
}

/**
 * Removes from the CODES log what every replica holds durably, so that the log does not grow for ever.
 *
 *     sequence   1 ............ cutoff ........... slowest replica .......... last
 *                │   removed      │   kept: a margin     │   still to be applied │
 *
 * The margin is counted in sequences of the whole stream (the margin per partition times the partitions): a bound that
 * cannot be wrong whatever is published meanwhile. Removing is idempotent, so any number of coordinators may do it.
 */
export class LogTrimmer {
  readonly #options: LogTrimmerOptions;

  constructor(options: LogTrimmerOptions) {
    this.#options = options;
  }

  /** @returns entries removed; 0 where a replica is away, since only it knows what it holds */
  async trim(): Promise<number> {
    const { cluster, streams, codesKeepPerPartition, log } = this.#options;
    const durable = this.#lowestPositions();
    if (durable === undefined) return 0;
    const margin = codesKeepPerPartition * cluster.partitionCount;
    let removed = 0;
    const removeBefore = async (filter: string, sequence: number) => {
      if (sequence > 1) removed += (await streams.purge(STREAM.codes, { filter, seq: sequence })).purged;
    };
    for (const [partition, position] of durable.entries()) {
      await removeBefore(SUBJECT.codes(partition), position - margin);
    }
    await removeBefore(SUBJECT.codesAll, Math.min(...durable) - margin);
    if (removed > 0) log.info({ removed }, 'CODES log trimmed');
    return removed;
  }

  /** By partition, the lowest durable position of its replicas; undefined where any replica is not a live member. */
  #lowestPositions(): number[] | undefined {
    const { cluster } = this.#options;
    if (!cluster.hasPlacement) return undefined;
    const positionsOf = new Map(cluster.members().map(({ id, positions }) => [id, positions]));
    const lowest: number[] = [];
    for (const [partition, hosts] of cluster.placement().replicas.entries()) {
      const positions = hosts.map((host) => positionsOf.get(host)?.[String(partition)]);
      if (positions.some((position) => position === undefined)) return undefined;
      lowest.push(Math.min(...(positions as number[])));
    }
    return lowest;
  }
}
