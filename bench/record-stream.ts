import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { GalleryOptions } from './gallery.js';

export interface RecordStreamOptions {
  readonly natsServers: string;
  readonly recordsPerSecond: number;
  readonly gallery: GalleryOptions;
  /** Of the first record; higher than any in the gallery. */
  readonly firstRevision: number;
}

export interface StreamedRecords {
  /** Records that the CODES log has stored. */
  readonly records: number;
  readonly seconds: number;
}

/** New records that flow into the CODES log, as encoders publish them, from a thread of their own. */
export interface RecordStream {
  /** Ends it. @returns once all that was published is stored in the log */
  stop(): Promise<StreamedRecords>;
}

/** Resolves when the first record is stored. */
export async function startRecordStream(options: RecordStreamOptions): Promise<RecordStream> {
  const worker = new Worker(new URL('./record-stream-worker.js', import.meta.url), { workerData: options });
  const failed = once(worker, 'error').then(([error]) => {
    throw error as Error;
  });
  await Promise.race([once(worker, 'message'), failed]);
  return {
    stop: async () => {
      const said = once(worker, 'message') as Promise<[StreamedRecords]>;
      worker.postMessage('stop');
      const [streamed] = await Promise.race([said, failed]);
      failed.catch(() => undefined);
      await worker.terminate();
      return streamed;
    },
  };
}
