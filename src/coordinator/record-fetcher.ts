import { KinscanError, toKinscanError } from '../core/errors.js';
import { partitionOf, tieKeyOf } from '../core/tie-key.js';
import type { ImageRecord__Output } from '../generated/kinscan/v1/ImageRecord.js';
import type { ClusterView } from './cluster-view.js';
import type { Deadline } from './deadline.js';
import type { ShardServers } from './shard-servers.js';

export interface FetchWhat {
  readonly includeThumbnail: boolean;
  readonly includeEmbedding: boolean;
}

/** Records asked of one shard server in one call. */
const IDS_PER_CALL_MAX = 10_000;
/** The same with thumbnails (up to about 8 kB each). */
const THUMBNAILS_PER_CALL_MAX = 2_000;

/** Reads records of images from the shard servers that host them. */
export class RecordFetcher {
  readonly #cluster: ClusterView;
  readonly #shardServers: ShardServers;

  constructor(cluster: ClusterView, shardServers: ShardServers) {
    this.#cluster = cluster;
    this.#shardServers = shardServers;
  }

  /**
   * Records by image id; what is not indexed is left out.
   * @throws KinscanError SHARD_UNAVAILABLE or what the last replica of a partition said, where none answers
   */
  async byId(
    imageIds: readonly string[],
    what: FetchWhat,
    deadline: Deadline,
  ): Promise<Map<string, ImageRecord__Output>> {
    const order = this.#shardServers.replicaOrder();
    const replicasById = new Map(imageIds.map((id) => [id, order(this.#partitionOf(id))]));
    const records = new Map<string, ImageRecord__Output>();
    let pending = [...replicasById.keys()];
    for (let attempt = 0; pending.length > 0; attempt++) {
      const groups = groupBy(pending, (id) => replicasById.get(id)?.[attempt]);
      pending = [];
      let failure: KinscanError | undefined;
      const outcomes = [...groups].map(async ([shardServer, ids]) => {
        try {
          if (shardServer === undefined) {
            throw failure ?? new KinscanError('SHARD_UNAVAILABLE', 'no replica of a partition answers');
          }
          for (const record of await this.from(shardServer, ids, what, deadline))
            records.set(record.imageId, record);
        } catch (thrown) {
          failure = toKinscanError(thrown);
          if (ids.some((id) => (replicasById.get(id)?.length ?? 0) <= attempt + 1)) throw failure;
          pending.push(...ids);
        }
      });
      await Promise.all(outcomes);
    }
    return records;
  }

  /** Records from one shard server; what it does not hold is left out. @throws KinscanError */
  async from(
    shardServer: string,
    imageIds: readonly string[],
    what: FetchWhat,
    deadline: Deadline,
  ): Promise<ImageRecord__Output[]> {
    const idsMax = what.includeThumbnail ? THUMBNAILS_PER_CALL_MAX : IDS_PER_CALL_MAX;
    const records: ImageRecord__Output[] = [];
    for (let first = 0; first < imageIds.length; first += idsMax) {
      const request = { imageIds: imageIds.slice(first, first + idsMax), ...what };
      const response = await this.#shardServers.fetch(shardServer, request, deadline.callOptions());
      records.push(...response.records);
    }
    return records;
  }

  #partitionOf(imageId: string): number {
    return partitionOf(tieKeyOf(imageId), this.#cluster.partitionCount);
  }
}

function groupBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
