import type { ConfigOf, ConfigTable } from '../runtime/config.js';
import { portOptions, ROLE_OPTIONS } from '../runtime/role-options.js';

export const SHARD_CONFIG = {
  ...ROLE_OPTIONS,
  ...portOptions(7720, 0),
  id: {
    kind: 'string',
    default: '',
    description:
      'name in the cluster, lasting, since placements name it; empty: made once, kept in the data folder',
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
