import type { KinscanError } from '../core/errors.js';
import { partitionsOf, type Placement } from '../core/placement.js';
import type { FetchRequest__Output } from '../generated/kinscan/v1/FetchRequest.js';
import type { ImageRecord__Output } from '../generated/kinscan/v1/ImageRecord.js';
import type { ModelSettings } from '../runtime/cluster-state.js';
import { systemClock } from '../runtime/clock.js';
import type { Logger } from '../runtime/log.js';
import type { NatsConnection } from '../runtime/nats.js';
import { AttributeNumbers } from './apply/attribute-numbers.js';
import type { BlobEvents } from './apply/blob-compactor.js';
import { LogApplier, type ApplyOutcome } from './apply/log-applier.js';
import { Mutex } from './mutex.js';
import type { ShardConfig } from './config.js';
import { LogFollower } from './follow/log-follower.js';
import { openShardIndex, type ShardIndex } from './index/shard-index.js';
import { fetchRecords } from './search/fetch-records.js';
import { recordsOfHits } from './search/records-of-hits.js';
import { PartitionSearch } from './search/partition-search.js';
import type { ShownHits } from './search/resolve-hits.js';
import { RecordStore } from './store/record-store.js';

export interface ShardReplicasOptions {
  readonly config: ShardConfig;
  readonly shardServer: string;
  readonly partitionCount: number;
  readonly model: ModelSettings;
  readonly connection: NatsConnection;
  readonly ensureLog: () => Promise<void>;
  readonly log: Logger;
  readonly onApplied: (outcome: ApplyOutcome) => void;
  readonly blobEvents: BlobEvents;
  /** The stored attribute sets are damaged, and are made again from the tie entries. */
  readonly onAttributesDamaged: (error: KinscanError) => void;
  readonly onReady: () => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * The replicas of one shard server: what the placement gives it, loaded, kept up to date, and answered from.
 *
 *     placement ─▶ host(partitions) ─▶ load index from store ─▶ follow the log ─▶ ready
 */
export class ShardReplicas {
  readonly applier: LogApplier;
  readonly search: PartitionSearch;
  readonly model: ModelSettings;
  readonly #options: ShardReplicasOptions;
  readonly #store: RecordStore;
  readonly #index: ShardIndex;
  readonly #placing = new Mutex();
  #placementEpoch = 0;
  #follower: LogFollower | undefined;
  #ready = false;
  #closed = false;

  private constructor(
    options: ShardReplicasOptions,
    store: RecordStore,
    index: ShardIndex,
    attributes: AttributeNumbers,
  ) {
    this.#options = options;
    this.#store = store;
    this.#index = index;
    this.model = options.model;
    this.applier = new LogApplier({ ...options, store, index, attributes });
    this.search = new PartitionSearch({
      store,
      index,
      applier: this.applier,
      modelVersion: options.model.modelVersion,
    });
  }

  /** @throws KinscanError STORE_UNAVAILABLE, CORRUPT_RECORD, STORAGE_FULL */
  static async open(options: ShardReplicasOptions): Promise<ShardReplicas> {
    const { config, partitionCount, model } = options;
    // the threads of the index start beside the reading of the store
    const opening = openShardIndex({
      codeBits: model.codeBits,
      fineCodeBits: model.fineCodeBits,
      searchThreads: config.searchThreads,
      queueLengthMax: config.searchQueueLengthMax,
    });
    opening.catch(() => undefined); // told below
    let store: RecordStore | undefined;
    try {
      store = await RecordStore.open(config.dataDir, partitionCount, {
        cacheBytes: config.storeCacheBytes,
        writeBufferBytes: config.storeWriteBufferBytes,
      });
      const attributes = await AttributeNumbers.load(store, options.onAttributesDamaged);
      return new ShardReplicas(options, store, await opening, attributes);
    } catch (error) {
      await Promise.allSettled([opening.then((index) => index.close()), store?.close()]);
      throw error;
    }
  }

  /** 0 until there is a placement. */
  get placementEpoch(): number {
    return this.#placementEpoch;
  }

  /** Whether all hosted partitions have caught up with the log as it was when following began. */
  get isReady(): boolean {
    return this.#ready;
  }

  readonly isHosted = (partition: number): boolean => this.applier.isHosted(partition);

  /** Takes over a placement; placements are taken in the order of the calls, and older ones are ignored. */
  place(placement: Placement): Promise<void> {
    return this.#placing.run(async () => {
      if (this.#closed || placement.epoch <= this.#placementEpoch) return;
      const wanted = partitionsOf(placement, this.#options.shardServer);
      const hosted = this.applier.partitions();
      if (wanted.join() !== hosted.join()) await this.#host(wanted, hosted);
      this.#placementEpoch = placement.epoch;
      this.#options.log.info(
        { placementEpoch: placement.epoch, partitions: wanted.length, images: this.imageCount() },
        'placed',
      );
      // a server without partitions has nothing to catch up with
      if (wanted.length === 0) this.#becomeReady();
    });
  }

  fetch(request: FetchRequest__Output): Promise<ImageRecord__Output[]> {
    return fetchRecords(this.#store, this.applier, this.#options.partitionCount, request);
  }

  recordsOfHits(
    hits: ShownHits,
    what: { readonly includeThumbnails: boolean },
  ): Promise<readonly Uint8Array[]> {
    const { partitionCount } = this.#options;
    return recordsOfHits(this.#store, this.applier, hits, { ...what, partitionCount });
  }

  imageCount(): number {
    return this.applier.partitions().reduce((sum, partition) => sum + this.applier.imageCount(partition), 0);
  }

  /** Entries of the log, known so far, that are not applied. */
  lag(): number {
    return this.#follower?.lag() ?? 0;
  }

  indexStats() {
    return this.#index.stats();
  }

  storeUsage() {
    return this.#store.usage();
  }

  /** Ends the batch under way, then searches under way, then closes the store. May be called again. */
  async close(): Promise<void> {
    await this.#placing.run(async () => {
      if (this.#closed) return;
      this.#closed = true;
      this.#ready = false;
      await this.#follower?.stop();
      await this.applier.close();
      await this.#index.close();
      await this.#store.close();
    });
  }

  async #host(wanted: readonly number[], hosted: readonly number[]): Promise<void> {
    this.#ready = false;
    await this.#follower?.stop();
    this.#follower = undefined;
    for (const partition of hosted) if (!wanted.includes(partition)) this.applier.unhost(partition);
    await this.applier.host(...wanted.filter((partition) => !hosted.includes(partition)));
    if (wanted.length === 0) return;
    const { config, connection, ensureLog, log, onApplied, onFailure } = this.#options;
    const follower = new LogFollower({
      ...{ connection, ensureLog, log, onApplied, applier: this.applier, clock: systemClock },
      batchLengthMax: config.batchLengthMax,
      batchDelayMs: config.batchDelayMs,
    });
    this.#follower = follower;
    follower.failed.catch(onFailure);
    void follower.caughtUp.then(() => {
      if (this.#follower === follower && !this.#closed) this.#becomeReady();
    });
    follower.start();
  }

  #becomeReady(): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#options.onReady();
  }
}
