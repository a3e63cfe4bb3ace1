import { KinscanError } from '../core/errors.js';
import type { Logger } from '../runtime/log.js';
import { WorkerPool } from '../runtime/worker-pool.js';
import type { DecodedFile, DecodeOutcome, DecodeRequest, DecodeSettings } from './decode-task.js';
import type { EncoderMetrics } from './encoder-metrics.js';
import { LaneBatcher, type Lane } from './lane-batcher.js';
import { isolateCrashes } from './thread-crash.js';

/** Files in one task of a decode thread: enough to hide the 20 to 60 us of a round trip, few enough for queries to pass. */
const BATCH_FILES_MAX = 8;

export interface DecoderOptions {
  readonly threads: number;
  readonly queueLengthMax: number;
  readonly settings: DecodeSettings;
  readonly metrics: EncoderMetrics;
  readonly log: Logger;
}

/** Decodes files in worker threads. */
export class Decoder {
  readonly #pool: WorkerPool<readonly DecodeRequest[], DecodeOutcome[]>;
  readonly #batcher: LaneBatcher<DecodeRequest, DecodedFile>;
  readonly #options: DecoderOptions;

  constructor(options: DecoderOptions) {
    this.#options = options;
    this.#pool = new WorkerPool({
      file: new URL('./decode-worker.js', import.meta.url),
      threads: options.threads,
      queueLengthMax: options.threads,
      workerData: options.settings,
    });
    this.#batcher = new LaneBatcher({
      run: (requests) =>
        isolateCrashes(
          requests,
          (some) => this.#runBatch(some),
          (error) => this.#noteCrash(error),
        ),
      concurrency: options.threads,
      batchLengthMax: BATCH_FILES_MAX,
      waitMaxMs: 0,
      queueLengthMax: options.queueLengthMax,
    });
  }

  get waitingCount(): number {
    return this.#batcher.waitingCount;
  }

  /** @throws KinscanError what openImage and readFrame throw; OVERLOADED; INTERNAL where the file kills threads */
  decode(request: DecodeRequest, lane: Lane, signal?: AbortSignal): Promise<DecodedFile> {
    return this.#batcher.submit(request, lane, signal);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #runBatch(requests: readonly DecodeRequest[]): Promise<(DecodedFile | KinscanError)[]> {
    const endTimer = this.#options.metrics.decodeSeconds.startTimer();
    const copies = requests.map((request) => ({ ...request, bytes: copyOf(request.bytes) }));
    const outcomes = await this.#pool.run(copies, { transfer: copies.map(({ bytes }) => bytes.buffer) });
    endTimer();
    return outcomes.map((outcome) =>
      'code' in outcome ? new KinscanError(outcome.code, outcome.message) : outcome,
    );
  }

  #noteCrash(error: unknown): void {
    this.#options.metrics.threadCrashes.inc({ thread: 'decode' });
    this.#options.log.error({ err: error }, 'a decode thread died');
  }
}

/**
 * A buffer of its own, to be moved to the thread: the file is a slice of a larger network buffer, which cloning would
 * copy whole; and the original stays for a second attempt or a dead letter.
 */
function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}
