import type { KinscanError } from '../../src/core/errors.js';
import type { ModelSettings } from '../../src/runtime/cluster-state.js';
import { AttributeNumbers } from '../../src/shard/apply/attribute-numbers.js';
import { JOURNAL_LIMITS, type BlobEvents, type JournalLimits } from '../../src/shard/apply/blob-compactor.js';
import { LogApplier } from '../../src/shard/apply/log-applier.js';
import { openShardIndex, type IndexTuning, type ShardIndex } from '../../src/shard/index/shard-index.js';
import { PartitionSearch } from '../../src/shard/search/partition-search.js';
import { RecordStore } from '../../src/shard/store/record-store.js';
import { MODEL, PARTITION_COUNT } from './records.js';

const STORE_OPTIONS = { cacheBytes: 16 << 20, writeBufferBytes: 1 << 20 };

/** Store, index, applier and search of a shard server, without network and log. */
export interface LocalShard {
  readonly applier: LogApplier;
  readonly store: RecordStore;
  readonly index: ShardIndex;
  readonly search: PartitionSearch;
  readonly close: () => Promise<void>;
}

/** Counts what becomes of blobs. */
export class BlobRecorder implements BlobEvents {
  loaded: string[] = [];
  damaged: string[] = [];
  failures: unknown[] = [];
  compactions = 0;
  readonly onLoaded: BlobEvents['onLoaded'] = (_, from) => void this.loaded.push(from);
  readonly onDamaged: BlobEvents['onDamaged'] = (_, { message }) => void this.damaged.push(message);
  readonly onFailed: BlobEvents['onFailed'] = (_, error) => void this.failures.push(error);
  readonly onCompacted: BlobEvents['onCompacted'] = () => void this.compactions++;
}

export interface LocalShardOptions {
  readonly model?: ModelSettings;
  /** @default all */
  readonly partitions?: readonly number[];
  readonly blobEvents?: BlobEvents;
  readonly onAttributesDamaged?: (error: KinscanError) => void;
  readonly journalLimits?: JournalLimits;
  /** Put between the applier and its store. */
  readonly wrap?: (store: RecordStore) => RecordStore;
  readonly tuning?: IndexTuning;
}

export async function openLocalShard(folder: string, options: LocalShardOptions = {}): Promise<LocalShard> {
  const { model = MODEL, partitions = Array.from({ length: PARTITION_COUNT }, (_, p) => p) } = options;
  const store = await RecordStore.open(folder, PARTITION_COUNT, STORE_OPTIONS);
  const attributes = await AttributeNumbers.load(store, options.onAttributesDamaged);
  const { tuning = {} } = options;
  const index = await openShardIndex({ ...model, searchThreads: 1, queueLengthMax: 100, tuning });
  const applier = new LogApplier({
    ...{ index, attributes, model, partitionCount: PARTITION_COUNT },
    store: options.wrap?.(store) ?? store,
    blobEvents: options.blobEvents ?? new BlobRecorder(),
    journalLimits: options.journalLimits ?? JOURNAL_LIMITS,
  });
  await applier.host(...partitions);
  const search = new PartitionSearch({ store, index, applier, modelVersion: model.modelVersion });
  const close = async () => {
    await applier.close();
    await index.close();
    await store.close();
  };
  return { applier, store, index, search, close };
}
