import { KinscanError, isErrorCode } from '../../core/errors.js';
import type { IngestAccepted__Output } from '../../generated/kinscan/v1/IngestAccepted.js';
import type { IngestRequest } from '../../generated/kinscan/v1/IngestRequest.js';
import type { IngestResponse__Output } from '../../generated/kinscan/v1/IngestResponse.js';
import { backoffDelayMs } from '../../runtime/backoff.js';
import type { Clock } from '../../runtime/clock.js';
import type { ClientDuplexStream, GrpcClient } from '../../runtime/grpc-client.js';

/** Errors that pass by themselves: the request is sent again. */
const RETRYABLE = new Set([
  'OVERLOADED',
  'STORAGE_FULL',
  'LOG_UNAVAILABLE',
  'NOT_READY',
  'DRAINING',
  'SHARD_UNAVAILABLE',
  'ENCODER_UNAVAILABLE',
]);
const RETRY_BACKOFF = { firstDelayMs: 200, delayMaxMs: 5_000 };

export interface IngestClientOptions {
  readonly client: GrpcClient;
  readonly clock: Clock;
  /** How long one image is tried for before its error is final; a coordinator that restarts is back well within. */
  readonly retryTimeoutMs: number;
}

interface Pending {
  resolve(accepted: IngestAccepted__Output): void;
  reject(error: KinscanError): void;
}

type Stream = ClientDuplexStream<IngestRequest, IngestResponse__Output>;

/**
 * Sends images over one Ingest stream and matches the answers to them. A stream that breaks is opened again and what it
 * had not answered is sent again, which is harmless: the same id with the same bytes is the same image.
 */
export class IngestClient {
  readonly #options: IngestClientOptions;
  readonly #pending = new Map<string, Pending>();
  #stream: Stream | undefined;
  /** Set while the stream's write buffer is full. */
  #writable: Promise<void> | undefined;
  #lastRequest = 0;

  constructor(options: IngestClientOptions) {
    this.#options = options;
  }

  /** @throws KinscanError when the image is refused, or could not be sent within the retry limit */
  async ingest(request: Omit<IngestRequest, 'requestId'>): Promise<IngestAccepted__Output> {
    const { clock, retryTimeoutMs } = this.#options;
    const giveUpMs = clock.monotonicMs() + retryTimeoutMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#send(request);
      } catch (thrown) {
        const error = thrown as KinscanError;
        const delayMs = Math.max(error.retryAfterMs ?? 0, backoffDelayMs(attempt, RETRY_BACKOFF));
        if (!RETRYABLE.has(error.code) || clock.monotonicMs() + delayMs > giveUpMs) throw error;
        await clock.sleep(delayMs);
      }
    }
  }

  /** Ends the stream; call it when every ingest has been answered. */
  close(): void {
    this.#stream?.end();
    this.#stream = undefined;
  }

  async #send(request: Omit<IngestRequest, 'requestId'>): Promise<IngestAccepted__Output> {
    // back-pressure of the coordinator reaches here as a full write buffer
    await this.#writable;
    const requestId = String(++this.#lastRequest);
    const answer = new Promise<IngestAccepted__Output>((resolve, reject) =>
      this.#pending.set(requestId, { resolve, reject }),
    );
    const stream = (this.#stream ??= this.#open());
    if (!stream.write({ ...request, requestId })) this.#writable ??= this.#untilDrained(stream);
    return answer;
  }

  /** One wait that all senders share; it also ends when the stream does. */
  async #untilDrained(stream: Stream): Promise<void> {
    await new Promise<void>((resolve) => {
      for (const event of ['drain', 'error', 'end', 'close']) stream.once(event, resolve);
    });
    this.#writable = undefined;
  }

  #open(): Stream {
    const stream: Stream = this.#options.client.duplex('Ingest');
    stream.on('data', (response: IngestResponse__Output) => this.#settle(response));
    stream.on('error', (error: Error) => this.#broken(stream, this.#options.client.streamError(error)));
    stream.on('end', () =>
      this.#broken(stream, new KinscanError('NOT_READY', 'the coordinator closed the stream')),
    );
    return stream;
  }

  #settle(response: IngestResponse__Output): void {
    const pending = this.#pending.get(response.requestId);
    this.#pending.delete(response.requestId);
    if (response.outcome === 'accepted' && response.accepted) return pending?.resolve(response.accepted);
    const { code = 'INTERNAL', message = 'no reason given', retryAfterMs = 0 } = response.rejected ?? {};
    pending?.reject(
      new KinscanError(
        isErrorCode(code) ? code : 'INTERNAL',
        message,
        retryAfterMs > 0 ? { retryAfterMs } : {},
      ),
    );
  }

  #broken(stream: Stream, error: KinscanError): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    const unanswered = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of unanswered) pending.reject(error);
  }
}
