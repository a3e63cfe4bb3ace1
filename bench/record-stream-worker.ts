import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { partitionOf, tieKeyOf } from '../src/core/tie-key.js';
import { createEncoderMetrics } from '../src/encoder/encoder-metrics.js';
import { LogPublisher } from '../src/encoder/log-publisher.js';
import type { LogEntry, LogEntry__Output } from '../src/generated/kinscan/v1/LogEntry.js';
import { systemClock } from '../src/runtime/clock.js';
import { createLog } from '../src/runtime/log.js';
import { connectNats } from '../src/runtime/nats.js';
import { messageCodec } from '../src/runtime/proto.js';
import { SUBJECT } from '../src/runtime/streams.js';
import { makeGallery, recordOfImage } from './gallery.js';
import type { RecordStreamOptions, StreamedRecords } from './record-stream.js';

const logEntryCodec = messageCodec<LogEntry, LogEntry__Output>('LogEntry');
const PUBLISH_TIMEOUT_MS = 10_000;
/** Codes that are made ahead, about the centres of the gallery, and used in turns; ids are always new. */
const CODES = 4_096;

const {
  natsServers,
  recordsPerSecond,
  gallery: galleryOptions,
  firstRevision,
} = workerData as RecordStreamOptions;
const parent = parentPort;
if (parent === null) throw new Error('this file runs as a worker thread');
const log = createLog('bench', 'record-stream', 'warn');
const connection = await connectNats({ servers: natsServers, name: 'kinscan-bench-stream', log });
const publisher = new LogPublisher({
  jetstream: connection.jetstream(),
  timeoutMs: PUBLISH_TIMEOUT_MS,
  retryMaxMs: PUBLISH_TIMEOUT_MS,
  clock: systemClock,
  log,
  metrics: createEncoderMetrics(),
});
const gallery = makeGallery({ ...galleryOptions, images: CODES });

function publish(n: number): Promise<number> {
  const [imageId, revision] = [`streamed-${n}`, firstRevision + n];
  const record = recordOfImage(gallery, n % CODES, { imageId, revision });
  const partition = partitionOf(tieKeyOf(imageId), galleryOptions.partitions);
  return publisher.publish({
    subject: SUBJECT.codes(partition),
    data: logEntryCodec.encode({ record }),
    messageId: `${imageId}:${revision}`,
  });
}

let isStopping = false;
const stopped = once(parent, 'message').then(() => (isStopping = true));
await publish(0);
parent.postMessage('streaming');
const startMs = performance.now();
const underWay = new Set<Promise<unknown>>();
let records = 1;
while (!isStopping) {
  const due = ((performance.now() - startMs) / 1_000) * recordsPerSecond;
  for (; records < due; records++) {
    const publishing = publish(records).finally(() => underWay.delete(publishing));
    underWay.add(publishing);
  }
  await Promise.race([stopped, systemClock.sleep(5)]);
}
await Promise.all(underWay);
const streamed: StreamedRecords = { records, seconds: (performance.now() - startMs) / 1_000 };
parent.postMessage(streamed);
await connection.close();
