import { randomUUID } from 'node:crypto';
import type { Logger } from '../runtime/log.js';
import type { ObjectStore } from '../runtime/nats.js';
import { FlowLimiter } from './flow-limiter.js';
import { storeWithRetries, type NatsRetryOptions } from './nats-retry.js';

/** Objects written at a time: all their chunks are on their way at once, and more would only wait for the disk. */
const PUTS_IN_FLIGHT_MAX = 3;

/** Images above the inline limit, kept in NATS's object store until an encoder has finished them. */
export class ImageObjects {
  readonly #store: ObjectStore;
  readonly #chunkBytesMax: number;
  readonly #retry: NatsRetryOptions;
  readonly #log: Logger;
  readonly #putting = new FlowLimiter({ countMax: PUTS_IN_FLIGHT_MAX, bytesMax: Infinity });

  /** @param chunkBytesMax NATS stores an object in messages of this size, each synced to disk: few large ones are fast */
  constructor(store: ObjectStore, chunkBytesMax: number, retry: NatsRetryOptions, log: Logger) {
    this.#store = store;
    this.#chunkBytesMax = chunkBytesMax;
    this.#retry = retry;
    this.#log = log;
  }

  /** @returns the object's name @throws KinscanError LOG_UNAVAILABLE, STORAGE_FULL */
  async put(content: Uint8Array): Promise<string> {
    const name = randomUUID();
    const meta = { name, options: { max_chunk_size: this.#chunkBytesMax } };
    await this.#putting.acquire(0);
    try {
      await storeWithRetries((timeout) => this.#store.putBlob(meta, content, { timeout }), this.#retry);
      return name;
    } finally {
      this.#putting.release(0);
    }
  }

  /** @returns undefined where there is no such object */
  async get(name: string): Promise<Uint8Array | undefined> {
    return (await this.#store.getBlob(name)) ?? undefined;
  }

  /** Never throws: what stays behind costs room, nothing else. */
  async drop(name: string): Promise<void> {
    try {
      await this.#store.delete(name);
    } catch (error) {
      this.#log.debug({ err: error }, 'object not deleted');
    }
  }
}
