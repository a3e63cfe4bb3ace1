import { frameImageId } from '../core/image-id.js';
import type { Clock } from '../runtime/clock.js';
import { Deadline } from './deadline.js';
import type { RecordFetcher } from './record-fetcher.js';

const RECORD_ONLY = { includeThumbnail: false, includeEmbedding: false };
const TIMEOUT_MS = 5_000;

/** Looks up how many images a file became, for the rare case that the encoder's notice of it was lost. */
export class FrameCounter {
  readonly #fetcher: RecordFetcher;
  readonly #clock: Clock;

  constructor(fetcher: RecordFetcher, clock: Clock) {
    this.#fetcher = fetcher;
    this.#clock = clock;
  }

  /** @returns 0 where the image is gone again, or nobody could say */
  async count(imageId: string): Promise<number> {
    const firstFrame = frameImageId(imageId, 1);
    const deadline = new Deadline(this.#clock, TIMEOUT_MS);
    const records = await this.#fetcher
      .byId([imageId, firstFrame], RECORD_ONLY, deadline)
      .catch(() => undefined);
    if (records?.has(imageId) === true) return 1;
    return records?.get(firstFrame)?.metadata?.numberOfFrames ?? 0;
  }
}
