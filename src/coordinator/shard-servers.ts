import { KinscanError } from '../core/errors.js';
import type { FetchRequest } from '../generated/kinscan/v1/FetchRequest.js';
import type { FetchResponse__Output } from '../generated/kinscan/v1/FetchResponse.js';
import type { ShardSearchRequest } from '../generated/kinscan/v1/ShardSearchRequest.js';
import type { ShardSearchResponse__Output } from '../generated/kinscan/v1/ShardSearchResponse.js';
import type { StatsResponse__Output } from '../generated/kinscan/v1/StatsResponse.js';
import type { CallOptions, GrpcClient } from '../runtime/grpc-client.js';
import type { ClusterView } from './cluster-view.js';
import { PeerClients } from './peer-clients.js';
import { ShardSearchStream } from './shard-search-stream.js';

/** Hits of a search that takes no call of its own. */
const STREAM_HITS_MAX = 256;
/** Records of a fetch that takes no call of its own. */
const STREAM_FETCH_IDS_MAX = 16;
/** A shard's answer may hold 10,000 records with thumbnails. */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

/** The shard servers of the placement, as this coordinator calls them. */
export class ShardServers {
  readonly #cluster: ClusterView;
  readonly #clients = new PeerClients({
    service: 'Shard',
    messageBytesMax: MESSAGE_BYTES_MAX,
    unavailable: 'SHARD_UNAVAILABLE',
  });
  /** By the client that each runs on, and ends with. */
  readonly #streams = new WeakMap<GrpcClient, ShardSearchStream>();

  constructor(cluster: ClusterView) {
    this.#cluster = cluster;
  }

  /** Ids of all shard servers of the placement, ascending; none before there is one. */
  placedIds(): string[] {
    if (!this.#cluster.hasPlacement) return [];
    return [...new Set(this.#cluster.placement().replicas.flat())].sort();
  }

  /** By partition, the shard servers that host it now: live ones first, preferred ones before others. */
  replicaOrder(): (partition: number) => string[] {
    const live = this.#cluster.liveIds();
    const { replicas } = this.#cluster.placement();
    return (partition) => {
      const hosts = replicas[partition] ?? [];
      return [...hosts.filter((id) => live.has(id)), ...hosts.filter((id) => !live.has(id))];
    };
  }

  /** Live shard servers that host the partition; none before there is a placement. */
  liveReplicasOf(partition: number): string[] {
    if (!this.#cluster.hasPlacement) return [];
    const live = this.#cluster.liveIds();
    return (this.#cluster.placement().replicas[partition] ?? []).filter((id) => live.has(id));
  }

  /** Large answers take a call of their own: on the stream all others would wait behind them. */
  async search(
    id: string,
    request: ShardSearchRequest,
    options: CallOptions,
  ): Promise<ShardSearchResponse__Output> {
    const { k = 0, includeRecords = false, includeThumbnails = false } = request;
    const isSmall = k <= STREAM_HITS_MAX && includeRecords && !includeThumbnails;
    if (!isSmall) return this.#call(id, 'Search', request, options);
    return this.#streamOf(this.#clientOf(id)).search(request, options);
  }

  /** As search: a few records without their bulk go over the stream. */
  async fetch(id: string, request: FetchRequest, options: CallOptions): Promise<FetchResponse__Output> {
    const { imageIds = [], includeThumbnail = false, includeEmbedding = false } = request;
    const isSmall = imageIds.length <= STREAM_FETCH_IDS_MAX && !includeThumbnail && !includeEmbedding;
    if (!isSmall) return this.#call(id, 'Fetch', request, options);
    return this.#streamOf(this.#clientOf(id)).fetch(request, options);
  }

  stats(id: string, options: CallOptions): Promise<StatsResponse__Output> {
    return this.#call(id, 'Stats', {}, options);
  }

  /** What the shard servers of the placement say; those that do not answer are left out. */
  async statsOfAll(timeoutMs: number): Promise<Map<string, StatsResponse__Output>> {
    const answers = await Promise.all(
      this.placedIds().map((id) =>
        this.stats(id, { timeoutMs }).then(
          (stats) => [id, stats] as const,
          () => undefined,
        ),
      ),
    );
    return new Map(answers.filter((answer) => answer !== undefined));
  }

  /** Opens connections ahead of the first query and closes those to servers that are no longer placed. */
  async refreshConnections(timeoutMs: number): Promise<void> {
    const ids = this.placedIds();
    if (ids.length === 0) return;
    this.#clients.keepOnly(new Set(ids));
    await this.statsOfAll(timeoutMs);
  }

  close(): void {
    this.#clients.close();
  }

  async #call<Request, Response>(
    id: string,
    rpc: string,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    return this.#clientOf(id).call<Request, Response>(rpc, request, options);
  }

  #clientOf(id: string): GrpcClient {
    const member = this.#cluster.lastKnown(id);
    if (member === undefined)
      throw new KinscanError('SHARD_UNAVAILABLE', `shard server ${id} has not appeared`);
    return this.#clients.clientOf(id, member.address);
  }

  #streamOf(client: GrpcClient): ShardSearchStream {
    let stream = this.#streams.get(client);
    if (stream === undefined) this.#streams.set(client, (stream = new ShardSearchStream(client)));
    return stream;
  }
}
