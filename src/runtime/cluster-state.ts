import type { Placement } from '../core/placement.js';
import { KinscanError } from '../core/errors.js';
import { systemClock } from './clock.js';
import type { Logger } from './log.js';
import { StorageType, type KV, type KvEntry, type NatsConnection } from './nats.js';
import { createdByAny } from './streams.js';

/** Fixed when the collection is created. */
export interface CollectionSettings {
  /** A power of two, 1 to 4,096. */
  readonly partitionCount: number;
}

/** The model whose codes the index holds. */
export interface ModelSettings {
  readonly modelVersion: string;
  readonly codeBits: number;
  /** 0 where the model makes no fine codes. */
  readonly fineCodeBits: number;
}

/** Which secret the patient hashes of the collection are made with; the secret itself is nowhere but with the encoders. */
export interface PatientHashKeySettings {
  /** Hexadecimal. */
  readonly fingerprint: string;
}

/** Control-plane records that the roles share; one NATS key each. */
export interface ClusterRecords {
  readonly collection: CollectionSettings;
  readonly model: ModelSettings;
  readonly patientHashKey: PatientHashKeySettings;
  readonly placement: Placement;
}

export type Role = 'coordinator' | 'encoder' | 'shard';

/** One process of the cluster, as its heartbeat tells. */
export interface Member {
  readonly id: string;
  readonly role: Role;
  /** host:port of its gRPC server. */
  readonly address: string;
  readonly softwareVersion: string;
  readonly startedAtMs: number;
  /** Shard servers: last durable CODES sequence by partition. */
  readonly positions?: Readonly<Record<string, number>>;
}

export interface SeenMember extends Member {
  /** Milliseconds since its last heartbeat was seen here. */
  readonly heartbeatAgeMs: number;
}

/** Time between two heartbeats. */
export const HEARTBEAT_INTERVAL_MS = 2_000;
/** A member without a heartbeat for so long is no longer listed. */
export const MEMBER_EXPIRY_MS = 10_000;

/** Pause before a watch that broke off is begun again. */
const WATCH_RETRY_MS = 500;

type KvEntries = Awaited<ReturnType<KV['watch']>>;

const RECORDS_BUCKET = 'kinscan-cluster';
const MEMBERS_BUCKET = 'kinscan-members';

/** The shared state of the cluster in NATS key-value buckets (DESIGN.md section 8). */
export interface ClusterState {
  read<Key extends keyof ClusterRecords>(key: Key): Promise<ClusterRecords[Key] | undefined>;
  /** Stores the record unless one is there; returns the one that is there afterwards. */
  createOrRead<Key extends keyof ClusterRecords>(
    key: Key,
    value: ClusterRecords[Key],
  ): Promise<ClusterRecords[Key]>;
  /** Calls back with the present record, if any, and with each later one, until closed. */
  watch<Key extends keyof ClusterRecords>(
    key: Key,
    onRecord: (record: ClusterRecords[Key]) => void,
  ): Promise<void>;
  /** Resolves with the record as soon as there is one. @throws KinscanError NOT_READY after the time given */
  waitFor<Key extends keyof ClusterRecords>(key: Key, timeoutMs: number): Promise<ClusterRecords[Key]>;
  /** Sends this process's heartbeat now and then every HEARTBEAT_INTERVAL_MS; `describe` is asked anew each time. */
  announce(describe: () => Member): Promise<void>;
  /** Takes this process off the list, for a clean leave. */
  leave(): Promise<void>;
  /** Keeps `members()` up to date. */
  followMembers(): Promise<void>;
  /** Live members, by id ascending. */
  members(): SeenMember[];
  close(): void;
}

export async function openClusterState(
  connection: NatsConnection,
  log: Logger,
  replicas = 1,
): Promise<ClusterState> {
  const views = connection.jetstream().views;
  const records = await createdByAny(() =>
    views.kv(RECORDS_BUCKET, { history: 1, storage: StorageType.File, replicas }),
  );
  const heartbeats = await createdByAny(() =>
    // on disk, although it holds nothing of value: a bucket in memory would be gone after a restart of nats-server
    views.kv(MEMBERS_BUCKET, { history: 1, storage: StorageType.File, ttl: MEMBER_EXPIRY_MS, replicas }),
  );
  const state = new NatsClusterState(records, heartbeats, log);
  void state.followConnection(connection);
  return state;
}

class NatsClusterState implements ClusterState {
  readonly #records: KV;
  readonly #heartbeats: KV;
  readonly #log: Logger;
  readonly #stops: (() => void)[] = [];
  readonly #restarts: (() => void)[] = [];
  readonly #seen = new Map<string, { member: Member; atMs: number }>();
  #heartbeatKey: string | undefined;
  #closed = false;

  constructor(records: KV, heartbeats: KV, log: Logger) {
    this.#records = records;
    this.#heartbeats = heartbeats;
    this.#log = log;
  }

  async read<Key extends keyof ClusterRecords>(key: Key): Promise<ClusterRecords[Key] | undefined> {
    const entry = await this.#records.get(key);
    return entry?.operation === 'PUT' ? entry.json<ClusterRecords[Key]>() : undefined;
  }

  async createOrRead<Key extends keyof ClusterRecords>(
    key: Key,
    value: ClusterRecords[Key],
  ): Promise<ClusterRecords[Key]> {
    const present = await this.read(key);
    if (present !== undefined) return present;
    try {
      await this.#records.create(key, JSON.stringify(value));
      return value;
    } catch (error) {
      const winner = await this.read(key);
      if (winner === undefined) throw error;
      return winner;
    }
  }

  async watch<Key extends keyof ClusterRecords>(
    key: Key,
    onRecord: (record: ClusterRecords[Key]) => void,
  ): Promise<void> {
    await this.#follow(
      () => this.#records.watch({ key }),
      (entry) => {
        if (entry.operation === 'PUT') onRecord(entry.json<ClusterRecords[Key]>());
      },
    );
  }

  async waitFor<Key extends keyof ClusterRecords>(key: Key, timeoutMs: number): Promise<ClusterRecords[Key]> {
    const entries = await this.#records.watch({ key });
    const timer = setTimeout(() => entries.stop(), timeoutMs);
    try {
      for await (const entry of entries)
        if (entry.operation === 'PUT') return entry.json<ClusterRecords[Key]>();
    } finally {
      clearTimeout(timer);
      entries.stop();
    }
    throw new KinscanError('NOT_READY', `the cluster has no ${key} yet`);
  }

  async announce(describe: () => Member): Promise<void> {
    const { id, role } = describe();
    const key = `${role}.${id}`;
    this.#heartbeatKey = key;
    const beat = () => this.#heartbeats.put(key, JSON.stringify(describe()));
    await beat();
    const timer = setInterval(() => {
      beat().catch((error: unknown) => this.#log.debug({ err: error }, 'heartbeat not stored'));
    }, HEARTBEAT_INTERVAL_MS);
    this.#stops.push(() => clearInterval(timer));
  }

  async leave(): Promise<void> {
    this.close();
    if (this.#heartbeatKey !== undefined) await this.#heartbeats.delete(this.#heartbeatKey);
  }

  async followMembers(): Promise<void> {
    await this.#follow(
      () => this.#heartbeats.watch(),
      (entry) => {
        if (entry.operation === 'PUT')
          this.#seen.set(entry.key, { member: entry.json<Member>(), atMs: performance.now() });
        else this.#seen.delete(entry.key);
      },
    );
  }

  /** A watch does not outlive nats-server, which its client would find out after ten seconds: begins all anew at once. */
  async followConnection(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      const type: string = status.type;
      if (type === 'reconnect') for (const restart of this.#restarts) restart();
    }
  }

  /** Resolves once the watch has begun; a watch that breaks off later is begun again. */
  async #follow(watch: () => Promise<KvEntries>, onEntry: (entry: KvEntry) => void): Promise<void> {
    let entries = await watch();
    let again = false;
    this.#stops.push(() => entries.stop());
    this.#restarts.push(() => {
      again = true;
      entries.stop();
    });
    const run = async (): Promise<void> => {
      while (!this.#closed) {
        try {
          for await (const entry of entries) onEntry(entry);
          // ended without an error or a restart: the connection was closed
          if (!again) return;
        } catch (error) {
          this.#log.warn({ err: error }, 'watching the cluster was interrupted');
        }
        entries = await this.#watchAgain(watch, entries);
        again = false;
      }
      entries.stop();
    };
    void run();
  }

  async #watchAgain(watch: () => Promise<KvEntries>, broken: KvEntries): Promise<KvEntries> {
    broken.stop();
    while (!this.#closed) {
      await systemClock.sleep(WATCH_RETRY_MS);
      try {
        return await watch();
      } catch (error) {
        this.#log.debug({ err: error }, 'watching the cluster does not work yet');
      }
    }
    return broken;
  }

  members(): SeenMember[] {
    const nowMs = performance.now();
    // an expired key sends no event, so age decides
    for (const [key, { atMs }] of this.#seen) if (nowMs - atMs > MEMBER_EXPIRY_MS) this.#seen.delete(key);
    return [...this.#seen.values()]
      .map(({ member, atMs }) => ({ ...member, heartbeatAgeMs: Math.round(nowMs - atMs) }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stop of this.#stops) stop();
  }
}
