import { Counter, createRegistry, Gauge, Histogram, type Registry } from '../runtime/metrics-server.js';

const LATENCY_BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

/** What an encoder node counts; names and meanings are in docs/encoding.md. */
export interface EncoderMetrics {
  readonly registry: Registry;
  readonly imagesEncoded: Counter;
  readonly deadLetters: Counter<'code'>;
  readonly retried: Counter;
  readonly queries: Counter<'outcome'>;
  readonly publishRetries: Counter;
  readonly threadCrashes: Counter<'thread'>;
  readonly batchImages: Histogram;
  readonly decodeSeconds: Histogram;
  readonly inferSeconds: Histogram;
  readonly publishSeconds: Histogram;
}

export function createEncoderMetrics(): EncoderMetrics {
  const registry = createRegistry('encoder');
  const registers = [registry];
  const latency = (name: string, help: string) =>
    new Histogram({ name, help, buckets: LATENCY_BUCKETS_SECONDS, registers });
  return {
    registry,
    imagesEncoded: new Counter({
      name: 'kinscan_encoder_images_total',
      help: 'Images (frames) published to the CODES log',
      registers,
    }),
    deadLetters: new Counter({
      name: 'kinscan_encoder_dead_letters_total',
      help: 'Queue entries that became dead letters',
      labelNames: ['code'],
      registers,
    }),
    retried: new Counter({
      name: 'kinscan_encoder_retried_total',
      help: 'Queue entries given back to be delivered again',
      registers,
    }),
    queries: new Counter({
      name: 'kinscan_encoder_queries_total',
      help: 'Encode calls by outcome: ok, or the error code',
      labelNames: ['outcome'],
      registers,
    }),
    publishRetries: new Counter({
      name: 'kinscan_encoder_publish_retries_total',
      help: 'Publish attempts beyond the first',
      registers,
    }),
    threadCrashes: new Counter({
      name: 'kinscan_encoder_thread_crashes_total',
      help: 'Worker threads that died',
      labelNames: ['thread'],
      registers,
    }),
    batchImages: new Histogram({
      name: 'kinscan_encoder_batch_images',
      help: 'Images in one run of the network',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024],
      registers,
    }),
    decodeSeconds: latency('kinscan_encoder_decode_seconds', 'One task of a decode thread, up to 8 files'),
    inferSeconds: latency('kinscan_encoder_infer_seconds', 'One run of the network'),
    publishSeconds: latency(
      'kinscan_encoder_publish_seconds',
      'Records of one queue entry, until acknowledged',
    ),
  };
}

/** What is asked anew with every look at /metrics. */
export interface EncoderGauges {
  readonly inFlightImages: () => number;
  readonly inFlightBytes: () => number;
  readonly decodeWaiting: () => number;
  readonly inferWaiting: () => number;
}

export function addGauges({ registry }: EncoderMetrics, gauges: EncoderGauges): void {
  const helps: Record<keyof EncoderGauges, [string, string]> = {
    inFlightImages: ['kinscan_encoder_in_flight_images', 'Queue entries held'],
    inFlightBytes: ['kinscan_encoder_in_flight_bytes', 'Bytes of files held'],
    decodeWaiting: ['kinscan_encoder_decode_waiting', 'Files that wait for a decode thread'],
    inferWaiting: ['kinscan_encoder_infer_waiting', 'Images that wait for the network'],
  };
  for (const [key, [name, help]] of Object.entries(helps) as [keyof EncoderGauges, [string, string]][]) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(gauges[key]());
      },
    });
  }
}
