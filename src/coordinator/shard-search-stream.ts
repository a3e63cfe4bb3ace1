import { isErrorCode, KinscanError } from '../core/errors.js';
import type { ErrorDetail__Output } from '../generated/kinscan/v1/ErrorDetail.js';
import type { FetchRequest } from '../generated/kinscan/v1/FetchRequest.js';
import type { FetchResponse__Output } from '../generated/kinscan/v1/FetchResponse.js';
import type { ShardSearchCall } from '../generated/kinscan/v1/ShardSearchCall.js';
import type { ShardSearchReply__Output } from '../generated/kinscan/v1/ShardSearchReply.js';
import type { ShardSearchRequest } from '../generated/kinscan/v1/ShardSearchRequest.js';
import type { ShardSearchResponse__Output } from '../generated/kinscan/v1/ShardSearchResponse.js';
import type { ShardSearchStreamRequest } from '../generated/kinscan/v1/ShardSearchStreamRequest.js';
import type { ShardSearchStreamResponse__Output } from '../generated/kinscan/v1/ShardSearchStreamResponse.js';
import type { CallOptions, ClientDuplexStream, GrpcClient } from '../runtime/grpc-client.js';
import { TurnBatch } from '../runtime/turn-batch.js';

interface Waiting {
  readonly resolve: (reply: ShardSearchReply__Output) => void;
  readonly reject: (error: KinscanError) => void;
}

type Stream = ClientDuplexStream<ShardSearchStreamRequest, ShardSearchStreamResponse__Output>;

/** What is to be written on a stream. */
interface OpenStream {
  readonly calls: TurnBatch<ShardSearchCall>;
}

/** Call ids are uint32 and used again after so many: no call is under way for that long. */
const CALL_IDS = 2 ** 32;
/** Searches in one message: with filters and tokens at their largest 15 MB, which a shard server takes. */
const CALLS_PER_MESSAGE_MAX = 64;

/**
 * Small searches and fetches of one shard server over one stream that stays open; a stream that breaks off fails what is
 * under way, and the next call opens another.
 *
 *     search() ──▶ [{ call id, request }] ──▶ shard server ──▶ [{ call id, response or error }] ──▶ whoever waits for it
 *
 * A message costs more than a search in it, at both ends, so those of one turn of the event loop travel together.
 */
export class ShardSearchStream {
  readonly #client: GrpcClient;
  readonly #waiting = new Map<number, Waiting>();
  #open: OpenStream | undefined;
  #lastCallId = 0;

  constructor(client: GrpcClient) {
    this.#client = client;
  }

  /** @throws KinscanError what the shard server says; SHARD_UNAVAILABLE; DEADLINE_EXCEEDED, also where the signal aborts */
  async search(search: ShardSearchRequest, options: CallOptions): Promise<ShardSearchResponse__Output> {
    const { result } = await this.#ask({ search }, options);
    if (!result) throw answeredAnother();
    return result;
  }

  /** @throws KinscanError as search() does */
  async fetch(fetch: FetchRequest, options: CallOptions): Promise<FetchResponse__Output> {
    const { fetched } = await this.#ask({ fetch }, options);
    if (!fetched) throw answeredAnother();
    return fetched;
  }

  #ask(
    question: Pick<ShardSearchCall, 'search' | 'fetch'>,
    { timeoutMs, signal }: CallOptions,
  ): Promise<ShardSearchReply__Output> {
    if (signal?.aborted === true) return Promise.reject(tooLate());
    const open = (this.#open ??= this.#openStream());
    const callId = (this.#lastCallId = (this.#lastCallId + 1) % CALL_IDS);
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        this.#waiting.delete(callId);
      };
      const cancel = () => {
        end();
        if (open === this.#open) open.calls.add({ callId });
        reject(tooLate());
      };
      const timer = setTimeout(cancel, timeoutMs);
      signal?.addEventListener('abort', cancel);
      this.#waiting.set(callId, {
        resolve: (reply) => (end(), resolve(reply)),
        reject: (error) => (end(), reject(error)),
      });
      open.calls.add({ callId, ...question, timeoutMs: Math.ceil(timeoutMs) });
    });
  }

  #openStream(): OpenStream {
    const stream: Stream = this.#client.duplex<ShardSearchStreamRequest, ShardSearchStreamResponse__Output>(
      'SearchStream',
    );
    const calls = new TurnBatch<ShardSearchCall>(CALLS_PER_MESSAGE_MAX, (items) => {
      if (open === this.#open) stream.write({ calls: items });
    });
    const open: OpenStream = { calls };
    stream.on('data', ({ replies }: ShardSearchStreamResponse__Output) => {
      for (const reply of replies) this.#take(reply);
    });
    stream.on('error', (error: Error) => this.#fail(open, this.#client.streamError(error)));
    stream.on('end', () =>
      this.#fail(open, new KinscanError('SHARD_UNAVAILABLE', 'the shard server ended its stream')),
    );
    return open;
  }

  #take(reply: ShardSearchReply__Output): void {
    const waiting = this.#waiting.get(reply.callId);
    if (reply.error) waiting?.reject(errorOf(reply.error));
    else waiting?.resolve(reply);
  }

  #fail(open: OpenStream, error: KinscanError): void {
    if (open !== this.#open) return;
    this.#open = undefined;
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }
}

function errorOf({ code, message, retryAfterMs }: ErrorDetail__Output): KinscanError {
  const options = retryAfterMs > 0 ? { retryAfterMs } : {};
  return new KinscanError(isErrorCode(code) ? code : 'INTERNAL', message, options);
}

function answeredAnother(): KinscanError {
  return new KinscanError('INTERNAL', 'the shard server answered something else than it was asked');
}

function tooLate(): KinscanError {
  return new KinscanError('DEADLINE_EXCEEDED', 'the shard server did not answer in time');
}
