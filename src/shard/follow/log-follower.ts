import { AssertionError, toKinscanError } from '../../core/errors.js';
import { backoffDelayMs } from '../../runtime/backoff.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/log.js';
import type { ConsumerMessages, NatsConnection } from '../../runtime/nats.js';
import { IndexFailure, type ApplyOutcome, type LogApplier, type RawEntry } from '../apply/log-applier.js';
import { BatchPump } from './batch-pump.js';
import { openCodesLog, partitionOfSubject } from './codes-log.js';
import { resumePosition, type LogState } from './resume-position.js';

export interface LogFollowerOptions {
  readonly connection: NatsConnection;
  readonly applier: LogApplier;
  /** Entries applied at once, 1 to 10,000. */
  readonly batchLengthMax: number;
  /** Time that the first entry of a batch waits for more. */
  readonly batchDelayMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Creates the streams where they are missing. */
  readonly ensureLog: () => Promise<void>;
  /** After each batch, once it is durable and searchable. */
  readonly onApplied: (outcome: ApplyOutcome) => void;
}

interface ReceivedEntry extends RawEntry {
  /** Entries of the log that come after it. */
  readonly remaining: number;
}

/** How long an outage is waited for at once; its end is told, this only bounds a lost message. */
const OUTAGE_POLL_MS = 5_000;
const RETRY = { firstDelayMs: 50, delayMaxMs: 2_000 };
/** Attempts to write one batch (about ten seconds) before the shard server gives up, unless the disk is just full. */
const WRITE_ATTEMPTS_MAX = 10;

/**
 * Makes the hosted partitions of a LogApplier follow the CODES log, all of them with one consumer: they advance
 * together, so that one batch costs one synchronous write whatever the number of partitions, and nothing is polled.
 *
 * A session is one consumer. Whatever goes wrong with it (server restarted, connection lost, consumer gone, an entry
 * missing from the sequence) ends the session; the next one begins after the stored positions.
 */
export class LogFollower {
  /** Resolves when all entries that were in the log at the start are applied. */
  readonly caughtUp: Promise<void>;
  /** Rejects where following cannot go on; never resolves. */
  readonly failed: Promise<never>;
  readonly #options: LogFollowerOptions;
  readonly #stopping = new AbortController();
  #resolveCaughtUp: () => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;
  #messages: ConsumerMessages | undefined;
  /** Aborts when the connection is back, or it is time to stop; undefined while connected. */
  #outage: AbortController | undefined;
  #pump: BatchPump<ReceivedEntry> | undefined;
  #running: Promise<void> | undefined;
  /** Entries still to be applied until caughtUp. */
  #missing = Infinity;
  #remaining = 0;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
    this.caughtUp = new Promise((resolve) => (this.#resolveCaughtUp = resolve));
    this.failed = new Promise((_, reject) => (this.#fail = reject));
    // the role listens to it; without this line a failure before that would be called unhandled
    this.failed.catch(() => undefined);
  }

  start(): void {
    void this.#watchConnection();
    this.#running = this.#run();
  }

  /** Entries of the log, known so far, that are not applied. */
  lag(): number {
    return this.#remaining + (this.#pump?.length ?? 0);
  }

  /** Ends the batch under way and stops. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#messages?.stop();
    this.#outage?.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    for (let attempt = 0; !this.#isStopping(); attempt++) {
      try {
        // requests made meanwhile would only time out, later than the connection is back
        if (this.#outage) await clock.sleep(OUTAGE_POLL_MS, this.#outage.signal);
        else await this.#session(() => (attempt = 0));
      } catch (error) {
        if (isFatal(error)) return this.#fail(error);
        log.debug({ err: error }, 'following the CODES log was interrupted');
      }
      if (!this.#isStopping()) await clock.sleep(backoffDelayMs(attempt, RETRY), this.#stopping.signal);
    }
  }

  /** @param onProgress called when entries arrive: the next failure is a first one again */
  async #session(onProgress: () => void): Promise<void> {
    const { applier, connection, ensureLog } = this.#options;
    const codesLog = await openCodesLog(connection, ensureLog);
    this.#resume(codesLog.state);
    const partitions = applier.partitions();
    const from = Math.min(...partitions.map((partition) => applier.positionOf(partition).sequence)) + 1;
    const { messages, pendingCount } = await codesLog.follow(partitions, from);
    this.#messages = messages;
    this.#remaining = pendingCount;
    if (pendingCount === 0) this.#resolveCaughtUp();
    this.#missing = pendingCount;
    const pump = new BatchPump<ReceivedEntry>({ ...this.#options, handle: (batch) => this.#handle(batch) });
    this.#pump = pump;
    try {
      if (this.#isStopping()) return;
      let expected = 1;
      for await (const message of messages) {
        const { deliverySequence, streamSequence, pending } = message.info;
        // a message was lost on the way: the next session fetches it
        if (deliverySequence !== expected++) return;
        onProgress();
        await pump.push({
          sequence: streamSequence,
          partition: partitionOfSubject(message.subject),
          bytes: message.data,
          remaining: pending,
        });
        if (this.#isStopping()) return;
      }
    } finally {
      this.#messages = undefined;
      messages.stop();
      await pump.discard();
      codesLog.forget();
    }
  }

  /** Brings the positions in line with the log that is there. @throws KinscanError LOG_TRIMMED */
  #resume(state: LogState): void {
    const { applier, log } = this.#options;
    for (const partition of applier.partitions()) {
      const position = applier.positionOf(partition);
      const resumed = resumePosition(position, state);
      if (resumed.generation !== position.generation) {
        log.error(
          { partition, appliedSequence: position.sequence, logLastSequence: state.lastSequence },
          'the CODES log was begun anew or lost its end; what was indexed from it is kept',
        );
      }
      if (resumed !== position) applier.restartAt(partition, resumed);
    }
  }

  async #handle(batch: readonly ReceivedEntry[]): Promise<void> {
    const { applier, log, onApplied } = this.#options;
    const outcome = await this.#applyWithRetries(batch);
    if (outcome === undefined) return;
    if (outcome.corruptSequences.length > 0) {
      log.error({ sequences: outcome.corruptSequences }, 'entries of the CODES log are damaged; passed over');
    }
    if (outcome.foreignCount > 0) {
      log.warn(
        { count: outcome.foreignCount },
        'records of another model version are stored but not searched',
      );
    }
    this.#remaining = batch.at(-1)?.remaining ?? 0;
    this.#missing -= batch.length;
    if (this.#missing <= 0) this.#resolveCaughtUp();
    log.trace({ entries: batch.length, positions: applier.partitions().length }, 'applied');
    onApplied(outcome);
  }

  /** undefined: stopped before it worked. */
  async #applyWithRetries(batch: readonly RawEntry[]): Promise<ApplyOutcome | undefined> {
    const { applier, clock, log } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        return await applier.apply(batch);
      } catch (error) {
        // with a full disk it goes on answering searches from what it has
        const isPatient = toKinscanError(error).code === 'STORAGE_FULL' || attempt + 1 < WRITE_ATTEMPTS_MAX;
        if (isFatal(error) || !isPatient) {
          this.#fail(error);
          this.#stopping.abort();
          this.#messages?.stop();
          throw error;
        }
        log.error({ err: error, attempt }, 'a batch of the CODES log was not stored; trying again');
        await clock.sleep(backoffDelayMs(attempt, RETRY), this.#stopping.signal);
        if (this.#isStopping()) return undefined;
      }
    }
  }

  /** After an outage the client's pull would wait for its own timers: a new session is quicker. */
  async #watchConnection(): Promise<void> {
    for await (const status of this.#options.connection.status()) {
      if (this.#isStopping()) return;
      const type: string = status.type;
      if (type === 'disconnect') this.#outage ??= new AbortController();
      if (type === 'reconnect') {
        this.#outage?.abort();
        this.#outage = undefined;
      }
      if (type === 'disconnect' || type === 'reconnect') this.#messages?.stop();
    }
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }
}

/** What trying again cannot mend. */
function isFatal(error: unknown): boolean {
  if (error instanceof IndexFailure || error instanceof AssertionError) return true;
  return ['LOG_TRIMMED', 'CORRUPT_RECORD'].includes(toKinscanError(error).code);
}
