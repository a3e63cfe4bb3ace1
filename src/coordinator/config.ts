import { KinscanError } from '../core/errors.js';
import { PARTITION_COUNT_DEFAULT, PARTITION_COUNT_MAX } from '../core/placement.js';
import type { ConfigOf, ConfigTable } from '../runtime/config.js';
import { portOptions, ROLE_OPTIONS } from '../runtime/role-options.js';
import { IMAGE_BYTES_MAX_DEFAULT } from '../runtime/message-limits.js';
import { STREAM_LIMITS_DEFAULT } from '../runtime/streams.js';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

export const COORDINATOR_CONFIG = {
  ...ROLE_OPTIONS,
  ...portOptions(7700, 7780),
  id: {
    kind: 'string',
    default: '',
    description: 'Name of this process in the cluster; default: made of host name and port',
  },
  partitions: {
    kind: 'integer',
    default: PARTITION_COUNT_DEFAULT,
    min: 1,
    max: PARTITION_COUNT_MAX,
    description: 'Partitions of a new gallery, a power of two; fixed once the gallery exists',
  },
  shards: {
    kind: 'integer',
    default: 2,
    min: 1,
    max: 1024,
    description: 'Shard servers to wait for before the partitions of a new gallery are placed',
  },
  replicas: {
    kind: 'integer',
    default: 1,
    min: 1,
    max: 16,
    description: 'Shard servers that host each partition of a new gallery',
  },
  imageBytesMax: {
    kind: 'integer',
    default: IMAGE_BYTES_MAX_DEFAULT,
    min: 1,
    max: GIB,
    unit: 'bytes',
    description: 'Largest image file',
  },
  ingestStreamsMax: {
    kind: 'integer',
    default: 64,
    min: 1,
    max: 10_000,
    description: 'Ingest streams at a time; one more is refused with OVERLOADED',
  },
  publishesInFlightMax: {
    kind: 'integer',
    default: 256,
    min: 1,
    max: 10_000,
    description: 'Images on their way to NATS; while there are as many, no more are read',
  },
  bytesInFlightMax: {
    kind: 'integer',
    default: 256 * MIB,
    min: 1,
    max: 64 * GIB,
    unit: 'bytes',
    description: 'Bytes of images on their way to NATS; while there are as many, no more are read',
  },
  publishTimeoutMs: {
    kind: 'integer',
    default: 20_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'Time to store an image in NATS, retries included; then LOG_UNAVAILABLE',
  },
  indexedWaitersMax: {
    kind: 'integer',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description:
      'Images whose client waits until they are indexed; while there are as many, no more are read',
  },
  indexedTimeoutMs: {
    kind: 'integer',
    default: 60_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    description: 'Time to wait until an image is indexed; then the answer is that it is queued',
  },
  searchesInFlightMax: {
    kind: 'integer',
    default: 256,
    min: 1,
    max: 100_000,
    description: 'Queries at a time; one more is refused with OVERLOADED',
  },
  searchBytesInFlightMax: {
    kind: 'integer',
    default: 256 * MIB,
    min: 1,
    max: 64 * GIB,
    unit: 'bytes',
    description: 'Bytes of query images at a time; more are refused with OVERLOADED',
  },
  searchesPerStreamMax: {
    kind: 'integer',
    default: 32,
    min: 1,
    max: 10_000,
    description: 'Queries of one stream at a time; while there are as many, no more are read',
  },
  rangeStreamsMax: {
    kind: 'integer',
    default: 64,
    min: 1,
    max: 10_000,
    description: 'Range searches at a time; one more is refused with OVERLOADED',
  },
  codesKeepPerPartition: {
    kind: 'integer',
    default: 10_000,
    min: 0,
    max: 1_000_000_000,
    description:
      'Entries of the CODES log to keep per partition (on average) after every replica has stored them',
  },
  trimIntervalMs: {
    kind: 'integer',
    default: 60_000,
    min: 100,
    max: 86_400_000,
    unit: 'ms',
    description: 'Time between two trims of the CODES log',
  },
  imagesStreamBytesMax: {
    kind: 'integer',
    default: STREAM_LIMITS_DEFAULT.imagesBytesMax,
    min: MIB,
    max: 1024 * GIB,
    unit: 'bytes',
    description: 'Size of the queue of images when this process creates it; then STORAGE_FULL',
  },
  codesStreamBytesMax: {
    kind: 'integer',
    default: STREAM_LIMITS_DEFAULT.codesBytesMax,
    min: MIB,
    max: 1024 * GIB,
    unit: 'bytes',
    description: 'Size of the CODES log when this process creates it',
  },
  deadLettersBytesMax: {
    kind: 'integer',
    default: STREAM_LIMITS_DEFAULT.deadLettersBytesMax,
    min: MIB,
    max: 1024 * GIB,
    unit: 'bytes',
    description: 'Size of the dead letters when this process creates their stream; then the oldest go',
  },
} as const satisfies ConfigTable;

export type CoordinatorConfig = ConfigOf<typeof COORDINATOR_CONFIG>;

/** What the table cannot say. @throws KinscanError INVALID_ARGUMENT */
export function checkCoordinatorConfig(config: CoordinatorConfig): void {
  if (!Number.isInteger(Math.log2(config.partitions))) {
    throw new KinscanError('INVALID_ARGUMENT', `--partitions is a power of two, not ${config.partitions}`);
  }
  if (config.replicas > config.shards) {
    throw new KinscanError(
      'INVALID_ARGUMENT',
      `--replicas ${config.replicas} needs as many shard servers; --shards is ${config.shards}`,
    );
  }
}
