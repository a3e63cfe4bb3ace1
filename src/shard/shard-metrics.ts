import { Counter, Gauge, Histogram, type Registry } from '../runtime/metrics-server.js';

/** What the gauges are read from when somebody asks. */
export interface ShardGauges {
  /** Searchable images by partition. */
  imagesByPartition(): readonly (readonly [partition: number, images: number])[];
  /** Rows appended since the base of a partition was built. */
  deltaRowsByPartition(): readonly (readonly [partition: number, rows: number])[];
  foreignImages(): number;
  lag(): number;
  queuedSearches(): number;
  indexBytes(): number;
  indexReservedBytes(): number;
  attributeSets(): number;
  attributeBytes(): number;
  storeMemoryBytes(): number;
  storeFileBytes(): number;
  isReady(): boolean;
}

const LATENCY_BUCKETS_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

/** The shard server's counters; the gauges register themselves. */
export interface ShardMetrics {
  readonly appliedEntries: Counter;
  readonly staleEntries: Counter;
  readonly corruptEntries: Counter;
  readonly foreignRecords: Counter;
  readonly searchSeconds: Histogram;
  readonly refusedSearches: Counter<'code'>;
  readonly corruptBlobs: Counter;
  readonly corruptAttributes: Counter;
  readonly compactions: Counter;
  readonly failedCompactions: Counter;
  readonly loadedPartitions: Counter<'source'>;
}

export function createShardMetrics(registry: Registry, gauges: ShardGauges): ShardMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const byPartition = (
    name: string,
    help: string,
    read: () => readonly (readonly [partition: number, value: number])[],
  ) =>
    new Gauge({
      name,
      help,
      labelNames: ['partition'],
      registers,
      collect() {
        this.reset();
        for (const [partition, value] of read()) this.set({ partition }, value);
      },
    });
  byPartition('kinscan_shard_images', 'Searchable images of a partition.', () => gauges.imagesByPartition());
  byPartition('kinscan_shard_delta_rows', 'Rows of a partition since its base was built.', () =>
    gauges.deltaRowsByPartition(),
  );
  gauge('kinscan_shard_foreign_images', 'Stored images of other model versions.', () =>
    gauges.foreignImages(),
  );
  gauge('kinscan_shard_lag_entries', 'Entries of the CODES log that are not applied.', () => gauges.lag());
  gauge('kinscan_shard_search_queue_length', 'Searches that wait for a thread.', () =>
    gauges.queuedSearches(),
  );
  memoryGauges(gauge, gauges);
  gauge('kinscan_shard_ready', '1 where all hosted partitions have caught up.', () =>
    Number(gauges.isReady()),
  );
  return {
    appliedEntries: counter('kinscan_shard_applied_entries_total', 'Entries of the CODES log applied.'),
    staleEntries: counter('kinscan_shard_stale_entries_total', 'Entries older than what was stored.'),
    corruptEntries: counter('kinscan_shard_corrupt_entries_total', 'Damaged entries passed over.'),
    foreignRecords: counter('kinscan_shard_foreign_records_total', 'Records of other model versions.'),
    searchSeconds: new Histogram({
      name: 'kinscan_shard_search_seconds',
      help: 'Time of a search that was answered, from its arrival.',
      buckets: LATENCY_BUCKETS_SECONDS,
      registers,
    }),
    corruptBlobs: counter('kinscan_shard_corrupt_blobs_total', 'Partitions whose blobs were damaged.'),
    corruptAttributes: counter(
      'kinscan_shard_corrupt_attributes_total',
      'Times that the stored attribute sets were damaged.',
    ),
    compactions: counter(
      'kinscan_shard_compactions_total',
      'Times that the blobs of a partition were written.',
    ),
    failedCompactions: counter('kinscan_shard_failed_compactions_total', 'Of these, attempts that failed.'),
    loadedPartitions: new Counter({
      name: 'kinscan_shard_loaded_partitions_total',
      help: 'Partitions read at start-up or when placed, from their blobs or, slowly, from their tie entries.',
      labelNames: ['source'],
      registers,
    }),
    refusedSearches: new Counter({
      name: 'kinscan_shard_refused_searches_total',
      help: 'Searches that were not answered, by error code.',
      labelNames: ['code'],
      registers,
    }),
  };
}

function memoryGauges(
  gauge: (name: string, help: string, read: () => number) => void,
  gauges: ShardGauges,
): void {
  gauge('kinscan_shard_index_bytes', 'Memory of the index in use.', () => gauges.indexBytes());
  gauge(
    'kinscan_shard_index_reserved_bytes',
    'Address space of the index; untouched pages take no memory.',
    () => gauges.indexReservedBytes(),
  );
  gauge('kinscan_shard_attribute_sets', 'Distinct attribute sets.', () => gauges.attributeSets());
  gauge('kinscan_shard_attribute_bytes', 'Memory of the table of attribute sets.', () =>
    gauges.attributeBytes(),
  );
  gauge('kinscan_shard_store_memory_bytes', 'Memory of RocksDB: cache, write buffers, tables.', () =>
    gauges.storeMemoryBytes(),
  );
  gauge('kinscan_shard_store_file_bytes', 'Current files of the store: sorted ones and blobs.', () =>
    gauges.storeFileBytes(),
  );
}
