import { randomUUID } from 'node:crypto';
import { KinscanError } from '../core/errors.js';
import type { ObjectStore } from '../runtime/nats.js';
import type { Logger } from '../runtime/log.js';
import { isNoRoom } from './nats-faults.js';

const RETRY_HINT_MS = 1_000;
const ATTEMPTS_MAX = 3;

/** Images above the inline limit, kept in NATS's object store until an encoder has finished them. */
export class ImageObjects {
  readonly #store: ObjectStore;
  readonly #log: Logger;

  constructor(store: ObjectStore, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** @returns the object's name @throws KinscanError LOG_UNAVAILABLE, STORAGE_FULL */
  async put(content: Uint8Array): Promise<string> {
    const name = randomUUID();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#store.putBlob({ name }, content);
        return name;
      } catch (cause) {
        if (isNoRoom(cause)) throw new KinscanError('STORAGE_FULL', 'the object store is full', { cause });
        if (attempt < ATTEMPTS_MAX) continue;
        const options = { cause, retryAfterMs: RETRY_HINT_MS };
        throw new KinscanError('LOG_UNAVAILABLE', 'NATS did not store the image in time', options);
      }
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
