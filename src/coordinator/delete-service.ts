import { KinscanError } from '../core/errors.js';
import { baseImageId, frameImageId, validateImageId } from '../core/image-id.js';
import type { DeleteRequest__Output } from '../generated/kinscan/v1/DeleteRequest.js';
import type { DeleteResponse } from '../generated/kinscan/v1/DeleteResponse.js';
import type { Clock } from '../runtime/clock.js';
import type { CallContext } from '../runtime/grpc-server.js';
import { Deadline } from './deadline.js';
import type { FlowLimiter } from './flow-limiter.js';
import type { IndexedTracker } from './indexed-tracker.js';
import type { RecordFetcher } from './record-fetcher.js';
import type { TaskPublisher } from './task-publisher.js';

export const DELETE_IDS_MAX = 10_000;
const RECORD_ONLY = { includeThumbnail: false, includeEmbedding: false };

export interface DeleteServiceOptions {
  readonly publisher: TaskPublisher;
  readonly publishing: FlowLimiter;
  readonly tracker: IndexedTracker;
  readonly fetcher: RecordFetcher;
  readonly clock: Clock;
}

/** Deletes images: each deletion is an entry of the IMAGES log, ordered with the images themselves. */
export class DeleteService {
  readonly #options: DeleteServiceOptions;

  constructor(options: DeleteServiceOptions) {
    this.#options = options;
  }

  /**
   * An id named twice counts once. Where a shard server does not answer nothing is deleted, since the counts would be
   * wrong; where NATS fails midway, some deletions are logged and the call may be repeated.
   * @throws KinscanError INVALID_ARGUMENT, INVALID_IMAGE_ID, SHARD_UNAVAILABLE, LOG_UNAVAILABLE, STORAGE_FULL,
   *   DEADLINE_EXCEEDED (logged, but not everywhere applied in time)
   */
  async delete(request: DeleteRequest__Output, context: CallContext): Promise<DeleteResponse> {
    const { imageIds } = request;
    if (imageIds.length < 1 || imageIds.length > DELETE_IDS_MAX) {
      const message = `1 to ${DELETE_IDS_MAX} image ids can be deleted at a time, not ${imageIds.length}`;
      throw new KinscanError('INVALID_ARGUMENT', message);
    }
    const ids = [...new Set(imageIds.map((id) => validateImageId(id)))];
    const deadline = new Deadline(this.#options.clock, context.timeoutMs, context.signal);
    const deleted = await this.#countIndexed(ids, deadline);
    const waits = request.wait === 'INGEST_WAIT_INDEXED';
    const deletions = ids.map((id) => this.#deleteOne(id, waits, deadline));
    // all settle before the first failure is told: nothing goes on behind the caller's back
    const failed = (await Promise.allSettled(deletions)).find(({ status }) => status === 'rejected');
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    return { deleted, missing: ids.length - deleted };
  }

  /** An instance of several frames has no record of its own: its first frame stands for it. */
  async #countIndexed(ids: readonly string[], deadline: Deadline): Promise<number> {
    const firstFrames = ids.filter((id) => baseImageId(id) === id).map((id) => frameImageId(id, 1));
    const records = await this.#options.fetcher.byId([...ids, ...firstFrames], RECORD_ONLY, deadline);
    return ids.filter((id) => records.has(id) || records.has(frameImageId(id, 1))).length;
  }

  async #deleteOne(imageId: string, waits: boolean, deadline: Deadline): Promise<void> {
    const { publishing, publisher, tracker } = this.#options;
    if (!(await publishing.acquire(0, deadline.signal))) {
      throw new KinscanError('DEADLINE_EXCEEDED', 'the deadline passed before every deletion was logged');
    }
    if (waits) tracker.expect();
    try {
      const revision = await publisher.publish({ delete: { imageId } }).finally(() => publishing.release(0));
      if (!waits || (await tracker.wait(revision, deadline.leftMs, deadline.signal)) !== undefined) return;
      throw new KinscanError('DEADLINE_EXCEEDED', 'the deletions are logged but were not applied in time');
    } finally {
      if (waits) tracker.unexpect();
    }
  }
}
