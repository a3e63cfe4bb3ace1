import { randomUUID } from 'node:crypto';
import type { Logger } from '../runtime/log.js';
import type { ObjectStore } from '../runtime/nats.js';
import { storeWithRetries, type NatsRetryOptions } from './nats-retry.js';

/** Images above the inline limit, kept in NATS's object store until an encoder has finished them. */
export class ImageObjects {
  readonly #store: ObjectStore;
  readonly #retry: NatsRetryOptions;
  readonly #log: Logger;

  constructor(store: ObjectStore, retry: NatsRetryOptions, log: Logger) {
    this.#store = store;
    this.#retry = retry;
    this.#log = log;
  }

  /** @returns the object's name @throws KinscanError LOG_UNAVAILABLE, STORAGE_FULL */
  async put(content: Uint8Array): Promise<string> {
    const name = randomUUID();
    await storeWithRetries(() => this.#store.putBlob({ name }, content), this.#retry);
    return name;
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
