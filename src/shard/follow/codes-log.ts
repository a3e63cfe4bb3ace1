import {
  AckPolicy,
  DeliverPolicy,
  nanos,
  type ConsumerMessages,
  type JetStreamManager,
  type NatsConnection,
} from '../../runtime/nats.js';
import { STREAM, SUBJECT } from '../../runtime/streams.js';
import type { LogState } from './resume-position.js';

/** Messages under way to this process at once; a record with its thumbnail is a few KB. */
const MESSAGES_MAX = 512;
/** A pull request waits so long for messages before it is renewed. */
const PULL_EXPIRY_MS = 30_000;
/** Silence of more than two of these means that the consumer is gone. */
const IDLE_HEARTBEAT_MS = 5_000;
/** The server forgets a consumer that nobody pulls from for so long. */
const CONSUMER_EXPIRY_MS = 60_000;

/** The CODES log as this process sees it in one session. */
export interface CodesLog {
  readonly state: LogState;
  /** Every entry of the partitions, and those for all partitions, from a sequence number on, in order. */
  follow(
    partitions: readonly number[],
    fromSequence: number,
  ): Promise<{
    readonly messages: ConsumerMessages;
    /** Entries that were in the log already. */
    readonly pendingCount: number;
  }>;
  /** Tells the server that the consumer is no longer needed; it would find out by itself. */
  forget(): void;
}

/** @param ensureLog creates the stream where it is missing */
export async function openCodesLog(
  connection: NatsConnection,
  ensureLog: () => Promise<void>,
): Promise<CodesLog> {
  const manager = await connection.jetstreamManager();
  const { created, state } = await streamInfo(manager, ensureLog);
  let consumerName: string | undefined;
  return {
    state: { created, firstSequence: state.first_seq, lastSequence: state.last_seq },
    follow: async (partitions, fromSequence) => {
      const consumer = await manager.consumers.add(STREAM.codes, {
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: fromSequence,
        filter_subjects: [...partitions.map(SUBJECT.codes), SUBJECT.codesAll],
        inactive_threshold: nanos(CONSUMER_EXPIRY_MS),
        mem_storage: true,
        num_replicas: 1,
      });
      consumerName = consumer.name;
      const handle = await connection.jetstream().consumers.get(STREAM.codes, consumer.name);
      const messages = await handle.consume({
        max_messages: MESSAGES_MAX,
        expires: PULL_EXPIRY_MS,
        idle_heartbeat: IDLE_HEARTBEAT_MS,
        abort_on_missing_resource: true,
      });
      return { messages, pendingCount: consumer.num_pending };
    },
    forget: () => {
      if (consumerName === undefined || connection.isClosed()) return;
      manager.consumers.delete(STREAM.codes, consumerName).catch(() => undefined);
    },
  };
}

async function streamInfo(manager: JetStreamManager, ensureLog: () => Promise<void>) {
  try {
    return await manager.streams.info(STREAM.codes);
  } catch {
    await ensureLog();
    return manager.streams.info(STREAM.codes);
  }
}

/** The partition of a subject of the log; undefined for what concerns every partition. */
export function partitionOfSubject(subject: string): number | undefined {
  return subject === SUBJECT.codesAll ? undefined : Number(subject.slice(subject.lastIndexOf('.') + 1));
}
