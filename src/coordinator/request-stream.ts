import { setMaxListeners } from 'node:events';
import { KinscanError } from '../core/errors.js';
import type { DuplexHandler } from '../runtime/grpc-server.js';

type Call<Request, Response> = Parameters<DuplexHandler<Request, Response>>[0];

/** A request that was let in. Its response never rejects: what fails becomes a response too. */
export interface Admitted<Response> {
  readonly response: Promise<Response>;
}

export interface RequestStreamOptions<Request, Response> {
  readonly call: Call<Request, Response>;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** Aborts when the process takes no new work. */
  readonly drainSignal: AbortSignal;
  /**
   * Takes one request. While it has not resolved, no further request is read: that is the back-pressure on the client.
   * undefined where the client left meanwhile.
   */
  readonly admit: (request: Request) => Promise<Admitted<Response> | undefined>;
}

/**
 * Serves a bidirectional stream whose requests get one response each, in any order.
 *
 *     client ──▶ read one ──▶ admit (waits while full) ──▶ under way ──▶ write (reading waits while the client is slow) ──▶ client
 *
 * Resolves when the client has ended its side and every response is written, or when the client is gone.
 * @throws KinscanError DRAINING when the process drains; every request that was admitted is answered first
 */
export async function serveRequestStream<Request, Response>(
  options: RequestStreamOptions<Request, Response>,
): Promise<void> {
  const stream = new RequestStream(options);
  await stream.serve();
}

class RequestStream<Request, Response> {
  readonly #options: RequestStreamOptions<Request, Response>;
  #underWay = 0;
  #onAllAnswered: (() => void) | undefined;
  #writable: Promise<void> | undefined;

  constructor(options: RequestStreamOptions<Request, Response>) {
    this.#options = options;
  }

  async serve(): Promise<void> {
    const { signal, drainSignal } = this.#options;
    // every request under way may listen; each bounded by its limiter
    setMaxListeners(0, signal, drainSignal);
    const reading = this.#readAll();
    await Promise.race([reading, aborted(drainSignal, signal)]);
    await this.#allAnswered();
    if (drainSignal.aborted && !signal.aborted) {
      throw new KinscanError('DRAINING', 'the coordinator is shutting down', { retryAfterMs: 1_000 });
    }
    await reading;
  }

  async #readAll(): Promise<void> {
    const { call, signal, drainSignal, admit } = this.#options;
    try {
      // the plain iterator would destroy the whole call when the client ends its side, with responses still to write
      const requests = call.iterator({ destroyOnReturn: false }) as AsyncIterable<Request>;
      for await (const request of requests) {
        if (drainSignal.aborted) return;
        const admitted = await admit(request);
        if (admitted === undefined) return;
        this.#answer(admitted.response);
        await this.#writable;
      }
    } catch (error) {
      // reading a stream whose client is gone fails; that is no fault of ours
      if (!signal.aborted && !call.destroyed) throw error;
    }
  }

  #answer(response: Promise<Response>): void {
    this.#underWay++;
    void response.then((message) => {
      this.#write(message);
      this.#underWay--;
      if (this.#underWay === 0) this.#onAllAnswered?.();
    });
  }

  #write(message: Response): void {
    const { call, signal } = this.#options;
    if (signal.aborted || call.destroyed || call.writableEnded) return;
    if (call.write(message) || this.#writable !== undefined) return;
    this.#writable = new Promise((resolve) => {
      const done = () => {
        call.off('drain', done);
        signal.removeEventListener('abort', done);
        this.#writable = undefined;
        resolve();
      };
      call.once('drain', done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #allAnswered(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#onAllAnswered = resolve));
  }
}

/** Resolves when either signal aborts; leaves no listener behind on the one that lives longer. */
function aborted(longLived: AbortSignal, ofCall: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      longLived.removeEventListener('abort', done);
      resolve();
    };
    if (longLived.aborted || ofCall.aborted) return done();
    longLived.addEventListener('abort', done, { once: true });
    ofCall.addEventListener('abort', done, { once: true });
  });
}
