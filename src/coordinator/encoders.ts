import { KinscanError, toKinscanError, type ErrorCode } from '../core/errors.js';
import type { EncodeRequest } from '../generated/kinscan/v1/EncodeRequest.js';
import type { EncodeResponse__Output } from '../generated/kinscan/v1/EncodeResponse.js';
import type { ClusterView } from './cluster-view.js';
import type { Deadline } from './deadline.js';
import { PeerClients } from './peer-clients.js';

/** Encoders that are tried for one query image. */
const ATTEMPTS_MAX = 3;
const RETRY_HINT_MS = 500;

/** Faults of one encoder that another may not have. */
const TRY_ANOTHER: ReadonlySet<ErrorCode> = new Set([
  'ENCODER_UNAVAILABLE',
  'OVERLOADED',
  'DRAINING',
  'NOT_READY',
  'INTERNAL',
]);

/** The encoder nodes, as this coordinator calls them: in turn, and the next one where one cannot. */
export class Encoders {
  readonly #cluster: ClusterView;
  readonly #clients: PeerClients;
  #turn = 0;

  constructor(cluster: ClusterView, messageBytesMax: number) {
    this.#cluster = cluster;
    this.#clients = new PeerClients({
      service: 'Encoder',
      messageBytesMax,
      unavailable: 'ENCODER_UNAVAILABLE',
    });
  }

  /** @throws KinscanError ENCODER_UNAVAILABLE, OVERLOADED, DEADLINE_EXCEEDED, and what is wrong with the image */
  async encode(request: EncodeRequest, deadline: Deadline): Promise<EncodeResponse__Output> {
    const encoders = this.#cluster.encoders();
    const attempts = Math.min(encoders.length, ATTEMPTS_MAX);
    const first = this.#turn++;
    let failure = new KinscanError('ENCODER_UNAVAILABLE', 'no encoder is there', {
      retryAfterMs: RETRY_HINT_MS,
    });
    for (let attempt = 0; attempt < attempts; attempt++) {
      const encoder = encoders[(first + attempt) % encoders.length];
      if (encoder === undefined) break;
      try {
        const client = this.#clients.clientOf(encoder.id, encoder.address);
        return await client.call('Encode', request, deadline.callOptions());
      } catch (thrown) {
        failure = toKinscanError(thrown);
        if (!TRY_ANOTHER.has(failure.code)) throw failure;
      }
    }
    throw failure;
  }

  /** Closes connections to encoders that left. */
  refreshConnections(): void {
    this.#clients.keepOnly(new Set(this.#cluster.encoders().map(({ id }) => id)));
  }

  close(): void {
    this.#clients.close();
  }
}
