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
  gauge('kinscan_shard_index_bytes', 'Memory of the index.', () => gauges.indexBytes());
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
    refusedSearches: new Counter({
      name: 'kinscan_shard_refused_searches_total',
      help: 'Searches that were not answered, by error code.',
      labelNames: ['code'],
      registers,
    }),
  };
}
