import { LOG_LEVELS } from '../runtime/log.js';
import type { ConfigOf, ConfigTable } from '../runtime/config.js';

export const SHARD_CONFIG = {
  nats: {
    kind: 'string',
    default: '127.0.0.1:4222',
    description: 'NATS servers, host:port, comma-separated',
  },
  host: { kind: 'string', default: '127.0.0.1', description: 'address to listen on' },
  port: {
    kind: 'integer',
    default: 7720,
    min: 0,
    max: 65_535,
    description: 'port of the gRPC server; 0 takes a free one',
  },
  advertise: {
    kind: 'string',
    default: '',
    description: 'host:port that others reach this server at; empty: host and port',
  },
  httpPort: {
    kind: 'integer',
    default: 0,
    min: 0,
    max: 65_535,
    description: 'port of /metrics, /livez and /readyz; 0: none',
  },
  logLevel: {
    kind: 'choice',
    default: 'info',
    choices: LOG_LEVELS,
    description: 'least level that is logged',
  },
  id: {
    kind: 'string',
    default: '',
    description:
      'name in the cluster, lasting, since placements name it; empty: made once, kept in the data folder',
  },
  streamReplicas: {
    kind: 'integer',
    default: 1,
    min: 1,
    max: 5,
    description: 'copies of streams and buckets in the NATS cluster, where this process creates them',
  },
  dataDir: { kind: 'string', default: 'data/shard', description: 'folder of the store' },
  searchThreads: {
    kind: 'integer',
    default: 1,
    min: 1,
    max: 64,
    description: 'threads that scan codes',
  },
  searchQueueLengthMax: {
    kind: 'integer',
    default: 1_000,
    min: 1,
    max: 100_000,
    description: 'searches that may wait for a thread; one more is refused',
  },
  batchLengthMax: {
    kind: 'integer',
    default: 256,
    min: 1,
    max: 10_000,
    description: 'log entries applied with one write',
  },
  batchDelayMs: {
    kind: 'integer',
    default: 10,
    min: 0,
    max: 1_000,
    unit: 'ms',
    description: 'time that a log entry waits for others, to be written with them',
  },
  storeCacheBytes: {
    kind: 'integer',
    default: 64 * 1024 * 1024,
    min: 1024 * 1024,
    max: 4_000_000_000,
    unit: 'bytes',
    description: 'memory of the store for blocks read',
  },
  storeWriteBufferBytes: {
    kind: 'integer',
    default: 16 * 1024 * 1024,
    min: 1024 * 1024,
    max: 1024 ** 3,
    unit: 'bytes',
    description: 'memory of the store for writes before they are sorted to disk; twice this at most',
  },
} as const satisfies ConfigTable;

export type ShardConfig = ConfigOf<typeof SHARD_CONFIG>;
