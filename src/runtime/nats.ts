import { connect, type NatsConnection } from 'nats';
import { KinscanError } from '../core/errors.js';
import type { Logger } from './log.js';

// The only file that imports nats: what the roles use of it passes through here.
export {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  headers,
  nanos,
  type Consumer,
  type ConsumerMessages,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  type KV,
  type KvEntry,
  type NatsConnection,
  type ObjectStore,
  type StreamConfig,
} from 'nats';

export interface NatsOptions {
  /** host:port list, comma-separated. */
  readonly servers: string;
  /** Shown in the server's connection list. */
  readonly name: string;
  readonly log: Logger;
}

/** Limit on the wait for the server's first answer when a process starts. */
export const NATS_FIRST_CONNECT_TIMEOUT_MS = 30_000;
/** Limit on one request to JetStream. */
export const JETSTREAM_TIMEOUT_MS = 10_000;

const RECONNECT_WAIT_MS = 250;

/**
 * Connects and stays connected: a server that goes away is looked for again for ever.
 * @throws KinscanError LOG_UNAVAILABLE where no server answers within the first-connect limit
 */
export async function connectNats(options: NatsOptions): Promise<NatsConnection> {
  const startedMs = performance.now();
  for (;;) {
    try {
      const connection = await connect({
        servers: options.servers.split(','),
        name: options.name,
        maxReconnectAttempts: -1,
        reconnectTimeWait: RECONNECT_WAIT_MS,
        reconnectJitter: RECONNECT_WAIT_MS,
        // two missed pings find a dead server within 20 s even where the TCP connection hangs
        pingInterval: 10_000,
        maxPingOut: 2,
        timeout: 5_000,
        // one Error with its stack for each request costs a third of publishing
        noAsyncTraces: true,
      });
      void logStatus(connection, options.log);
      return connection;
    } catch (cause) {
      if (performance.now() - startedMs > NATS_FIRST_CONNECT_TIMEOUT_MS) {
        throw new KinscanError('LOG_UNAVAILABLE', `no NATS server answers at ${options.servers}`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_WAIT_MS));
    }
  }
}

async function logStatus(connection: NatsConnection, log: Logger): Promise<void> {
  for await (const status of connection.status()) {
    const type: string = status.type;
    if (type === 'disconnect' || type === 'reconnect') log.warn({ event: type }, 'NATS connection');
    else log.debug({ event: type }, 'NATS connection');
  }
}
