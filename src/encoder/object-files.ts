import { KinscanError } from '../core/errors.js';
import { OBJECT_BUCKET } from '../runtime/streams.js';
import type { NatsConnection, ObjectStore } from '../runtime/nats.js';

/** Limit on reading one file; a break of the connection can leave a read hanging. */
const READ_TIMEOUT_MS = 60_000;

/** Files above the inline limit, in the JetStream object store. */
export interface ObjectFiles {
  /**
   * @returns undefined where there is no such file
   * @throws KinscanError CORRUPT_RECORD where its digest is wrong, IMAGE_TOO_LARGE, LOG_UNAVAILABLE where it cannot be
   *   read now
   */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Does nothing where there is no such file. */
  delete(name: string): Promise<void>;
}

export async function openObjectFiles(
  connection: NatsConnection,
  fileBytesMax: number,
): Promise<ObjectFiles> {
  const store = await connection.jetstream().views.os(OBJECT_BUCKET);
  return {
    read: (name) => read(store, name, fileBytesMax),
    delete: async (name) => {
      await store.delete(name);
    },
  };
}

async function read(store: ObjectStore, name: string, fileBytesMax: number): Promise<Uint8Array | undefined> {
  try {
    const info = await store.info(name);
    if (info === null || info.deleted) return undefined;
    if (info.size > fileBytesMax) {
      throw new KinscanError('IMAGE_TOO_LARGE', `${info.size} bytes are more than ${fileBytesMax}`);
    }
    const bytes = await withinLimit(store.getBlob(name));
    if (bytes?.length !== info.size) {
      throw new KinscanError('CORRUPT_RECORD', 'the file in the object store is incomplete');
    }
    return bytes;
  } catch (error) {
    if (error instanceof KinscanError) throw error;
    if (error instanceof Error && error.message.includes('corrupt object')) {
      throw new KinscanError('CORRUPT_RECORD', 'the file in the object store fails its digest', {
        cause: error,
      });
    }
    throw new KinscanError('LOG_UNAVAILABLE', 'the object store does not answer', { cause: error });
  }
}

async function withinLimit<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('reading an object took too long')), READ_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
