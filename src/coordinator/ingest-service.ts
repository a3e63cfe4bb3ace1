import { KinscanError } from '../core/errors.js';
import type { ImageTask } from '../generated/kinscan/v1/ImageTask.js';
import type { IngestRequest__Output } from '../generated/kinscan/v1/IngestRequest.js';
import type { IngestResponse } from '../generated/kinscan/v1/IngestResponse.js';
import type { Clock } from '../runtime/clock.js';
import type { DuplexHandler } from '../runtime/grpc-server.js';
import type { Logger } from '../runtime/log.js';
import type { CoordinatorMetrics } from './coordinator-metrics.js';
import { errorDetailOf } from '../runtime/error-detail.js';
import type { FlowLimiter } from './flow-limiter.js';
import type { FrameCounter } from './frame-counter.js';
import type { ImageObjects } from './image-objects.js';
import type { IndexedTracker } from './indexed-tracker.js';
import { acceptImage, type AcceptableImage } from './ingest-task.js';
import { serveRequestStream, type Admitted } from './request-stream.js';
import type { TaskPublisher } from './task-publisher.js';

const OVERLOADED_RETRY_HINT_MS = 1_000;

export interface IngestServiceOptions {
  readonly publisher: TaskPublisher;
  readonly objects: ImageObjects;
  readonly tracker: IndexedTracker;
  readonly frameCounter: FrameCounter;
  /** Tasks on their way to NATS, over all clients. */
  readonly publishing: FlowLimiter;
  /** Clients that wait until their image is indexed. */
  readonly waiting: FlowLimiter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CoordinatorMetrics;
  readonly imageBytesMax: number;
  /** Files up to this size travel inside the task. */
  readonly inlineBytesMax: number;
  readonly streamsMax: number;
  readonly indexedTimeoutMs: number;
  readonly drainSignal: AbortSignal;
}

/** What is left to do for an image once its bytes are stored; holds no bytes. */
interface Queued {
  readonly requestId: string;
  readonly imageId: string;
  readonly waitsForIndex: boolean;
}

/** Takes images in: checked, named, stored in the IMAGES log, acknowledged (DESIGN.md section 4). */
export class IngestService {
  readonly #options: IngestServiceOptions;
  #streams = 0;

  constructor(options: IngestServiceOptions) {
    this.#options = options;
  }

  /** The rpc Ingest. */
  readonly serve: DuplexHandler<IngestRequest__Output, IngestResponse> = async (call, signal) => {
    const { streamsMax, drainSignal } = this.#options;
    if (drainSignal.aborted) throw new KinscanError('DRAINING', 'the coordinator is shutting down');
    if (this.#streams >= streamsMax) {
      throw new KinscanError('OVERLOADED', 'too many ingest streams', {
        retryAfterMs: OVERLOADED_RETRY_HINT_MS,
      });
    }
    this.#streams++;
    try {
      await serveRequestStream<IngestRequest__Output, IngestResponse>({
        call,
        signal,
        drainSignal,
        admit: (request) => this.#admit(request, signal),
      });
    } finally {
      this.#streams--;
    }
  };

  /** Waits for room, then starts the work; what is wrong with the request itself is answered at once. */
  async #admit(
    request: IngestRequest__Output,
    signal: AbortSignal,
  ): Promise<Admitted<IngestResponse> | undefined> {
    const { publishing, waiting, imageBytesMax } = this.#options;
    const { requestId } = request;
    let image: AcceptableImage;
    try {
      image = acceptImage(request, imageBytesMax);
    } catch (thrown) {
      return { response: Promise.resolve(this.#rejected(requestId, thrown)) };
    }
    const waitsForIndex = request.wait === 'INGEST_WAIT_INDEXED';
    if (waitsForIndex && !(await waiting.acquire(0, signal))) return undefined;
    if (!(await publishing.acquire(image.content.length, signal))) {
      if (waitsForIndex) waiting.release(0);
      return undefined;
    }
    return { response: this.#ingest(image, { requestId, imageId: image.imageId, waitsForIndex }, signal) };
  }

  // not an async function: one would hold the image's bytes for as long as its client waits for the index
  #ingest(image: AcceptableImage, queued: Queued, signal: AbortSignal): Promise<IngestResponse> {
    const { tracker, waiting } = this.#options;
    if (queued.waitsForIndex) tracker.expect();
    return this.#store(image)
      .then((revision) => this.#acknowledge(revision, queued, signal))
      .catch((thrown: unknown) => this.#rejected(queued.requestId, thrown))
      .finally(() => {
        if (!queued.waitsForIndex) return;
        tracker.unexpect();
        waiting.release(0);
      });
  }

  async #store({ imageId, content, metadata }: AcceptableImage): Promise<number> {
    const { publisher, objects, publishing, clock, metrics, inlineBytesMax } = this.#options;
    const startMs = clock.monotonicMs();
    const isInline = content.length <= inlineBytesMax;
    let objectName: string | undefined;
    try {
      objectName = isInline ? undefined : await objects.put(content);
      const task: ImageTask = {
        ingest: {
          imageId,
          metadata,
          ...(objectName === undefined ? { content } : { objectName }),
          contentBytes: content.length,
          acceptedAtMs: clock.nowMs(),
        },
      };
      const revision = await publisher.publish(task);
      metrics.ingestBytes.inc(content.length);
      metrics.publishSeconds.observe((clock.monotonicMs() - startMs) / 1000);
      return revision;
    } catch (thrown) {
      // a task that may after all be stored (LOG_UNAVAILABLE) needs its object
      const isRefused = thrown instanceof KinscanError && thrown.code === 'STORAGE_FULL';
      if (objectName !== undefined && isRefused) await objects.drop(objectName);
      throw thrown;
    } finally {
      publishing.release(content.length);
    }
  }

  async #acknowledge(revision: number, queued: Queued, signal: AbortSignal): Promise<IngestResponse> {
    const { tracker, frameCounter, indexedTimeoutMs, metrics } = this.#options;
    const { requestId, imageId, waitsForIndex } = queued;
    const indexed = waitsForIndex ? await tracker.wait(revision, indexedTimeoutMs, signal) : undefined;
    metrics.ingestRequests.inc({ outcome: 'accepted' });
    if (indexed === undefined) {
      return {
        requestId,
        accepted: { imageId, revision, reached: 'INGEST_WAIT_QUEUED', token: [], images: 0 },
      };
    }
    const images = indexed.images ?? (await frameCounter.count(imageId));
    return {
      requestId,
      accepted: { imageId, revision, reached: 'INGEST_WAIT_INDEXED', token: [...indexed.positions], images },
    };
  }

  #rejected(requestId: string, thrown: unknown): IngestResponse {
    const rejected = errorDetailOf(thrown, this.#options.log);
    this.#options.metrics.ingestRequests.inc({ outcome: rejected.code ?? 'INTERNAL' });
    return { requestId, rejected };
  }
}
