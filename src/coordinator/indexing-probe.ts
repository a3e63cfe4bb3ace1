import type { DeadLetterEntry, DeadLetterEntry__Output } from '../generated/kinscan/v1/DeadLetterEntry.js';
import type { ErrorDetail__Output } from '../generated/kinscan/v1/ErrorDetail.js';
import type { PartitionPosition__Output } from '../generated/kinscan/v1/PartitionPosition.js';
import type { JetStreamManager } from '../runtime/nats.js';
import { messageCodec } from '../runtime/proto.js';
import { STREAM } from '../runtime/streams.js';
import type { CodesLog } from './codes-log.js';
import type { IndexingProbe } from './indexed-tracker.js';
import type { ShardServers } from './shard-servers.js';
import type { StreamReader } from './stream-reader.js';

export const deadLetterCodec = messageCodec<DeadLetterEntry, DeadLetterEntry__Output>('DeadLetterEntry');

/** Dead letters that are looked through for a revision whose notice was lost. */
const DEAD_LETTERS_SCANNED_MAX = 10_000;
/** Room for clocks that differ between this machine and nats-server's. */
const CLOCK_MARGIN_MS = 60_000;
const STATS_TIMEOUT_MS = 2_000;

/** Asks NATS and the shard servers what has become of queued revisions. */
export class NatsIndexingProbe implements IndexingProbe {
  readonly #manager: JetStreamManager;
  readonly #reader: StreamReader;
  readonly #codes: CodesLog;
  readonly #shardServers: ShardServers;

  constructor(manager: JetStreamManager, reader: StreamReader, codes: CodesLog, shardServers: ShardServers) {
    this.#manager = manager;
    this.#reader = reader;
    this.#codes = codes;
    this.#shardServers = shardServers;
  }

  /** IMAGES is a work queue: what it no longer holds has been acknowledged. */
  async finishedRevisions(revisions: readonly number[]): Promise<ReadonlySet<number>> {
    const { state } = await this.#manager.streams.info(STREAM.images, { deleted_details: true });
    const deleted = new Set(state.deleted ?? []);
    const isFinished = (revision: number) =>
      revision < state.first_seq ||
      deleted.has(revision) ||
      (state.messages === 0 && revision <= state.last_seq);
    return new Set(revisions.filter(isFinished));
  }

  /** Encoders publish the dead letter of revision r under the message id `dead:r`. */
  async deadLetterReasons(
    revisions: readonly number[],
    sinceMs: number,
  ): Promise<ReadonlyMap<number, ErrorDetail__Output>> {
    const entries = await this.#reader.read(STREAM.deadLetters, {
      sinceMs: sinceMs - CLOCK_MARGIN_MS,
      limit: DEAD_LETTERS_SCANNED_MAX,
      headersOnly: true,
    });
    const revisionOf = new Map(revisions.map((revision) => [`dead:${revision}`, revision]));
    const reasons = new Map<number, ErrorDetail__Output>();
    for (const { sequence, messageId } of entries) {
      const revision = revisionOf.get(messageId);
      if (revision === undefined) continue;
      const data = await this.#reader.get(STREAM.deadLetters, sequence);
      const reason = data === undefined ? null : deadLetterCodec.decode(data).reason;
      if (reason !== null) reasons.set(revision, reason);
    }
    return reasons;
  }

  async lastPositions(): Promise<readonly PartitionPosition__Output[]> {
    const sequences = await this.#codes.lastSequences();
    return sequences.map((streamSequence, partition) => ({ partition, streamSequence }));
  }

  async appliedPositions(): Promise<ReadonlyMap<string, readonly PartitionPosition__Output[]>> {
    const stats = await this.#shardServers.statsOfAll(STATS_TIMEOUT_MS);
    return new Map([...stats].map(([id, { replicas }]) => [id, replicas] as const));
  }
}
