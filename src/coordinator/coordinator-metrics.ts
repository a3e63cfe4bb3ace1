import { Counter, Gauge, Histogram, type Registry } from '../runtime/metrics-server.js';

export interface CoordinatorMetrics {
  /** Label outcome: accepted, or the error code. */
  readonly ingestRequests: Counter<'outcome'>;
  readonly ingestBytes: Counter;
  /** From reading a request to the acknowledgement of NATS. */
  readonly publishSeconds: Histogram;
  /** Label query: image, imageId or code. */
  readonly searchSeconds: Histogram<'query'>;
  readonly searchFailures: Counter;
  readonly partialAnswers: Counter;
  readonly rangePages: Counter;
  readonly codesTrimmed: Counter;
}

/** What is read when the metrics are asked for. */
export interface CoordinatorGauges {
  readonly publishesInFlight: () => number;
  readonly publishBytesInFlight: () => number;
  readonly searchesInFlight: () => number;
  readonly indexedWaiters: () => number;
}

const LATENCY_BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];

export function createCoordinatorMetrics(registry: Registry, gauges: CoordinatorGauges): CoordinatorMetrics {
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
  gauge('kinscan_publishes_in_flight', 'Tasks on their way to NATS', gauges.publishesInFlight);
  gauge(
    'kinscan_publish_bytes_in_flight',
    'Bytes of images on their way to NATS',
    gauges.publishBytesInFlight,
  );
  gauge('kinscan_searches_in_flight', 'Queries under way', gauges.searchesInFlight);
  gauge('kinscan_indexed_waiters', 'Images whose client waits until they are indexed', gauges.indexedWaiters);
  return {
    ingestRequests: new Counter({
      name: 'kinscan_ingest_requests_total',
      help: 'Ingest requests answered, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    ingestBytes: new Counter({
      name: 'kinscan_ingest_bytes_total',
      help: 'Bytes of images that NATS has stored',
      registers,
    }),
    publishSeconds: new Histogram({
      name: 'kinscan_publish_seconds',
      help: 'Time to store a task in NATS, retries included',
      buckets: LATENCY_BUCKETS_SECONDS,
      registers,
    }),
    searchSeconds: new Histogram({
      name: 'kinscan_search_seconds',
      help: 'Time to answer a query',
      labelNames: ['query'],
      buckets: LATENCY_BUCKETS_SECONDS,
      registers,
    }),
    searchFailures: new Counter({
      name: 'kinscan_search_failures_total',
      help: 'Queries that were refused or failed',
      registers,
    }),
    partialAnswers: new Counter({
      name: 'kinscan_search_partial_total',
      help: 'Answers that not every partition took part in',
      registers,
    }),
    rangePages: new Counter({
      name: 'kinscan_range_pages_total',
      help: 'Pages of range searches that were searched',
      registers,
    }),
    codesTrimmed: new Counter({
      name: 'kinscan_codes_trimmed_total',
      help: 'Entries of the CODES log removed because every replica has stored them',
      registers,
    }),
  };
}
