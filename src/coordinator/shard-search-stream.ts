import { isErrorCode, KinscanError } from '../core/errors.js';
import type { ErrorDetail__Output } from '../generated/kinscan/v1/ErrorDetail.js';
import type { ShardSearchStreamRequest } from '../generated/kinscan/v1/ShardSearchStreamRequest.js';
import type { ShardSearchStreamResponse__Output } from '../generated/kinscan/v1/ShardSearchStreamResponse.js';
import type { ShardSearchRequest } from '../generated/kinscan/v1/ShardSearchRequest.js';
import type { ShardSearchResponse__Output } from '../generated/kinscan/v1/ShardSearchResponse.js';
import type { CallOptions, ClientDuplexStream, GrpcClient } from '../runtime/grpc-client.js';

interface Waiting {
  readonly resolve: (response: ShardSearchResponse__Output) => void;
  readonly reject: (error: KinscanError) => void;
}

type Call = ClientDuplexStream<ShardSearchStreamRequest, ShardSearchStreamResponse__Output>;

/** Call ids are uint32 and used again after so many: no search is under way for that long. */
const CALL_IDS = 2 ** 32;

/**
 * Searches of one shard server over one stream that stays open; a stream that breaks off fails what is under way, and the
 * next search opens another.
 *
 *     search() ──▶ { call id, request } ──▶ shard server ──▶ { call id, response or error } ──▶ whoever waits for it
 */
export class ShardSearchStream {
  readonly #client: GrpcClient;
  readonly #waiting = new Map<number, Waiting>();
  #call: Call | undefined;
  #lastCallId = 0;

  constructor(client: GrpcClient) {
    this.#client = client;
  }

  /** @throws KinscanError what the shard server says; SHARD_UNAVAILABLE; DEADLINE_EXCEEDED, also where the signal aborts */
  search(
    request: ShardSearchRequest,
    { timeoutMs, signal }: CallOptions,
  ): Promise<ShardSearchResponse__Output> {
    if (signal?.aborted === true) return Promise.reject(tooLate());
    const call = (this.#call ??= this.#open());
    const callId = (this.#lastCallId = (this.#lastCallId + 1) % CALL_IDS);
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        this.#waiting.delete(callId);
      };
      const cancel = () => {
        end();
        if (call === this.#call) call.write({ callId });
        reject(tooLate());
      };
      const timer = setTimeout(cancel, timeoutMs);
      signal?.addEventListener('abort', cancel);
      this.#waiting.set(callId, {
        resolve: (response) => (end(), resolve(response)),
        reject: (error) => (end(), reject(error)),
      });
      call.write({ callId, search: request, timeoutMs: Math.ceil(timeoutMs) });
    });
  }

  #open(): Call {
    const call: Call = this.#client.duplex<ShardSearchStreamRequest, ShardSearchStreamResponse__Output>(
      'SearchStream',
    );
    call.on('data', (reply: ShardSearchStreamResponse__Output) => this.#take(reply));
    call.on('error', (error: Error) => this.#fail(call, this.#client.streamError(error)));
    call.on('end', () =>
      this.#fail(call, new KinscanError('SHARD_UNAVAILABLE', 'the shard server ended its stream')),
    );
    return call;
  }

  #take({ callId, result, error }: ShardSearchStreamResponse__Output): void {
    const waiting = this.#waiting.get(callId);
    if (result) waiting?.resolve(result);
    else waiting?.reject(errorOf(error));
  }

  #fail(call: Call, error: KinscanError): void {
    if (call !== this.#call) return;
    this.#call = undefined;
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }
}

function errorOf(detail: ErrorDetail__Output | null | undefined): KinscanError {
  const { code = '', message = '', retryAfterMs = 0 } = detail ?? {};
  const options = retryAfterMs > 0 ? { retryAfterMs } : {};
  return new KinscanError(isErrorCode(code) ? code : 'INTERNAL', message, options);
}

function tooLate(): KinscanError {
  return new KinscanError('DEADLINE_EXCEEDED', 'the shard server did not answer in time');
}
