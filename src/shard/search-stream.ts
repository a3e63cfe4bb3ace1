import { KinscanError } from '../core/errors.js';
import type { FetchRequest__Output } from '../generated/kinscan/v1/FetchRequest.js';
import type { FetchResponse } from '../generated/kinscan/v1/FetchResponse.js';
import type { ShardSearchCall__Output } from '../generated/kinscan/v1/ShardSearchCall.js';
import type { ShardSearchReply } from '../generated/kinscan/v1/ShardSearchReply.js';
import type { ShardSearchStreamRequest__Output } from '../generated/kinscan/v1/ShardSearchStreamRequest.js';
import type { ShardSearchStreamResponse } from '../generated/kinscan/v1/ShardSearchStreamResponse.js';
import type { ShardSearchRequest__Output } from '../generated/kinscan/v1/ShardSearchRequest.js';
import type { ShardSearchResponse } from '../generated/kinscan/v1/ShardSearchResponse.js';
import { errorDetailOf } from '../runtime/error-detail.js';
import type { CallContext, DuplexHandler } from '../runtime/grpc-server.js';
import type { Logger } from '../runtime/log.js';
import { TurnBatch } from '../runtime/turn-batch.js';

/** Replies in one message: each of at most 256 hits or a few records without thumbnails, 45 MB with texts at their largest, is let out. */
const REPLIES_PER_MESSAGE_MAX = 64;
/** Searches and fetches of one coordinator that are not answered yet. */
export const CALLS_UNDER_WAY_MAX = 4_096;
const OVERLOADED_RETRY_HINT_MS = 20;

export interface SearchStreamOptions {
  readonly search: (
    request: ShardSearchRequest__Output,
    context: CallContext,
  ) => Promise<ShardSearchResponse>;
  readonly fetch: (request: FetchRequest__Output) => Promise<FetchResponse>;
  /** Aborts when the process takes no new work. */
  readonly drainSignal: AbortSignal;
  readonly log: Logger;
}

type Call = Parameters<DuplexHandler<ShardSearchStreamRequest__Output, ShardSearchStreamResponse>>[0];

/** The rpc SearchStream. The index's queue, too, refuses a search too many. */
export function searchStreamHandler(
  options: SearchStreamOptions,
): DuplexHandler<ShardSearchStreamRequest__Output, ShardSearchStreamResponse> {
  return (call, signal) => new SearchStream(call, options).serve(signal);
}

type Reply = ShardSearchReply & { readonly callId: number };
type Answer = (context: CallContext) => Promise<Pick<ShardSearchReply, 'result' | 'fetched'>>;

class SearchStream {
  readonly #call: Call;
  readonly #options: SearchStreamOptions;
  /** By call id, until the reply is written. */
  readonly #underWay = new Map<number, AbortController>();
  readonly #replies = new TurnBatch<Reply>(REPLIES_PER_MESSAGE_MAX, (replies) => this.#write(replies));
  #onIdle: (() => void) | undefined;

  constructor(call: Call, options: SearchStreamOptions) {
    this.#call = call;
    this.#options = options;
  }

  /** Resolves when the caller has ended its side, or the process drains, and all is answered; or when the caller is gone. */
  async serve(signal: AbortSignal): Promise<void> {
    const { drainSignal } = this.#options;
    await new Promise<void>((resolve) => {
      const end = () => {
        drainSignal.removeEventListener('abort', end);
        resolve();
      };
      signal.addEventListener('abort', end);
      drainSignal.addEventListener('abort', end);
      this.#call.on('end', end);
      this.#call.on('data', ({ calls }: ShardSearchStreamRequest__Output) => {
        for (const call of calls) this.#take(call);
      });
      if (drainSignal.aborted) end();
    });
    if (signal.aborted) {
      const gone = new KinscanError('DEADLINE_EXCEEDED', 'the caller is gone');
      for (const search of this.#underWay.values()) search.abort(gone);
    }
    if (this.#underWay.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  #take({ callId, search, fetch, timeoutMs }: ShardSearchCall__Output): void {
    if (search) {
      this.#start(callId, timeoutMs, async (context) => ({
        result: await this.#options.search(search, context),
      }));
    } else if (fetch) {
      this.#start(callId, timeoutMs, async () => ({ fetched: await this.#options.fetch(fetch) }));
    } else {
      this.#underWay.get(callId)?.abort(new KinscanError('DEADLINE_EXCEEDED', 'the caller cancelled'));
    }
  }

  #start(callId: number, timeoutMs: number, answer: Answer): void {
    if (this.#underWay.size >= CALLS_UNDER_WAY_MAX) {
      const overloaded = new KinscanError('OVERLOADED', 'too many calls on one stream', {
        retryAfterMs: OVERLOADED_RETRY_HINT_MS,
      });
      this.#replies.add({ callId, error: errorDetailOf(overloaded, this.#options.log) });
      return;
    }
    const abort = new AbortController();
    this.#underWay.set(callId, abort);
    void this.#answer(callId, answer, { timeoutMs, signal: abort.signal });
  }

  async #answer(callId: number, answer: Answer, context: CallContext): Promise<void> {
    const { drainSignal, log } = this.#options;
    let reply: Reply;
    try {
      if (drainSignal.aborted) throw new KinscanError('DRAINING', 'the shard server is shutting down');
      reply = { callId, ...(await answer(context)) };
    } catch (thrown) {
      reply = { callId, error: errorDetailOf(thrown, log) };
    }
    if (context.signal.aborted) this.#end(callId);
    else this.#replies.add(reply);
  }

  /** A caller that reads slowly is not read either. */
  #write(replies: Reply[]): void {
    const call = this.#call;
    if (!call.destroyed && !call.writableEnded && !call.write({ replies }) && !call.isPaused()) {
      call.pause();
      call.once('drain', () => call.resume());
    }
    for (const { callId } of replies) this.#end(callId);
  }

  #end(callId: number): void {
    this.#underWay.delete(callId);
    if (this.#underWay.size === 0) this.#onIdle?.();
  }
}
