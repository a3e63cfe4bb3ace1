import {
  AckPolicy,
  DeliverPolicy,
  nanos,
  type JetStreamClient,
  type JetStreamManager,
} from '../runtime/nats.js';
import { isNoSuchMessage } from './nats-faults.js';

/** A consumer that was left behind goes after this time. */
const CONSUMER_IDLE_MS = 10_000;
const FETCH_TIMEOUT_MS = 5_000;

export interface ReadOptions {
  /** Entries from this sequence on; exactly one of fromSequence and sinceMs. */
  readonly fromSequence?: number;
  /** Entries stored since then, in milliseconds since 1970-01-01 UTC. */
  readonly sinceMs?: number;
  readonly limit: number;
  /** Leaves the bodies out. */
  readonly headersOnly?: boolean;
}

export interface StreamEntry {
  readonly sequence: number;
  readonly data: Uint8Array;
  /** Nats-Msg-Id, empty where it has none. */
  readonly messageId: string;
}

/** Looks at streams without taking part in them: nothing is acknowledged. */
export class StreamReader {
  readonly #jetstream: JetStreamClient;
  readonly #manager: JetStreamManager;

  constructor(jetstream: JetStreamClient, manager: JetStreamManager) {
    this.#jetstream = jetstream;
    this.#manager = manager;
  }

  /** Entries in order, no more than the limit. */
  async read(stream: string, options: ReadOptions): Promise<StreamEntry[]> {
    const { name, num_pending: pending } = await this.#manager.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(CONSUMER_IDLE_MS),
      mem_storage: true,
      num_replicas: 1,
      ...startOf(options),
      ...(options.headersOnly === true ? { headers_only: true } : {}),
    });
    try {
      const wanted = Math.min(options.limit, pending);
      if (wanted === 0) return [];
      const consumer = await this.#jetstream.consumers.get(stream, name);
      const messages = await consumer.fetch({ max_messages: wanted, expires: FETCH_TIMEOUT_MS });
      const entries: StreamEntry[] = [];
      for await (const message of messages) {
        const messageId = message.headers?.get('Nats-Msg-Id') ?? '';
        entries.push({ sequence: message.seq, data: message.data, messageId });
      }
      return entries;
    } finally {
      await this.#manager.consumers.delete(stream, name).catch(() => false);
    }
  }

  /** How many entries on the subjects stand at or after a sequence. */
  async countFrom(stream: string, subjects: readonly string[], fromSequence: number): Promise<number> {
    const { name, num_pending: pending } = await this.#manager.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(CONSUMER_IDLE_MS),
      mem_storage: true,
      num_replicas: 1,
      headers_only: true,
      filter_subjects: [...subjects],
      ...startOf({ fromSequence }),
    });
    await this.#manager.consumers.delete(stream, name).catch(() => false);
    return pending;
  }

  /** One entry; undefined where it is not there. */
  async get(stream: string, sequence: number): Promise<Uint8Array | undefined> {
    try {
      return (await this.#manager.streams.getMessage(stream, { seq: sequence })).data;
    } catch (error) {
      if (isNoSuchMessage(error)) return undefined;
      throw error;
    }
  }

  /** Sequence of the last entry on a subject; 0 where there is none. */
  async lastSequence(stream: string, subject: string): Promise<number> {
    try {
      return (await this.#manager.streams.getMessage(stream, { last_by_subj: subject })).seq;
    } catch (error) {
      if (isNoSuchMessage(error)) return 0;
      throw error;
    }
  }
}

function startOf({ fromSequence, sinceMs }: { fromSequence?: number; sinceMs?: number }) {
  if (sinceMs !== undefined) {
    return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(sinceMs).toISOString() };
  }
  return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, fromSequence ?? 1) };
}
