import type { ConfigTable } from './config.js';
import { LOG_LEVELS } from './log.js';

const PORT_MAX = 65_535;

/** The options that every role has; each adds its own name, `id`. */
export const ROLE_OPTIONS = {
  nats: {
    kind: 'string',
    default: '127.0.0.1:4222',
    description: 'NATS servers, host:port, comma-separated',
  },
  host: { kind: 'string', default: '127.0.0.1', description: 'address to listen on' },
  advertise: {
    kind: 'string',
    default: '',
    description: 'host:port under which others reach this process; empty: host and port',
  },
  logLevel: {
    kind: 'choice',
    choices: LOG_LEVELS,
    default: 'info',
    description: 'least level that is logged',
  },
  streamReplicas: {
    kind: 'integer',
    default: 1,
    min: 1,
    max: 5,
    description: 'copies of each NATS stream and bucket, where this process creates them',
  },
} as const satisfies ConfigTable;

/** The ports of a role, which differ in their defaults. */
export function portOptions(port: number, httpPort: number) {
  return {
    port: {
      kind: 'integer',
      default: port,
      min: 0,
      max: PORT_MAX,
      description: 'gRPC port; 0 takes a free one',
    },
    httpPort: {
      kind: 'integer',
      default: httpPort,
      min: 0,
      max: PORT_MAX,
      description: 'port of /metrics, /livez and /readyz; 0: none',
    },
  } as const satisfies ConfigTable;
}
