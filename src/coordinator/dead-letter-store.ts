import { KinscanError } from '../core/errors.js';
import type { DeadLetter } from '../generated/kinscan/v1/DeadLetter.js';
import type { DeadLetterEntry__Output } from '../generated/kinscan/v1/DeadLetterEntry.js';
import type { JetStreamManager } from '../runtime/nats.js';
import { STREAM } from '../runtime/streams.js';
import type { ImageObjects } from './image-objects.js';
import { deadLetterCodec } from './indexing-probe.js';
import { isNoSuchMessage } from './nats-faults.js';
import type { StreamReader } from './stream-reader.js';

/** A dead letter with the task that failed. */
export interface StoredDeadLetter {
  readonly sequence: number;
  readonly entry: DeadLetterEntry__Output;
}

/** The DEAD_LETTERS stream and the objects that its large images stand in. */
export class DeadLetterStore {
  readonly #manager: JetStreamManager;
  readonly #reader: StreamReader;
  readonly #objects: ImageObjects;

  constructor(manager: JetStreamManager, reader: StreamReader, objects: ImageObjects) {
    this.#manager = manager;
    this.#reader = reader;
    this.#objects = objects;
  }

  async total(): Promise<number> {
    return (await this.#manager.streams.info(STREAM.deadLetters)).state.messages;
  }

  /** Sequence of the newest; 0 where there never was one. */
  async lastSequence(): Promise<number> {
    return (await this.#manager.streams.info(STREAM.deadLetters)).state.last_seq;
  }

  /** In order of sequence. */
  async list(afterSequence: number, limit: number): Promise<StoredDeadLetter[]> {
    const entries = await this.#reader.read(STREAM.deadLetters, { fromSequence: afterSequence + 1, limit });
    return entries.map(({ sequence, data }) => ({ sequence, entry: deadLetterCodec.decode(data) }));
  }

  async find(sequence: number): Promise<StoredDeadLetter | undefined> {
    // JetStream takes 0 for "the last one"
    const data = sequence < 1 ? undefined : await this.#reader.get(STREAM.deadLetters, sequence);
    return data === undefined ? undefined : { sequence, entry: deadLetterCodec.decode(data) };
  }

  /** The image itself. @throws KinscanError CORRUPT_RECORD where its object is gone */
  async content({ task }: DeadLetterEntry__Output): Promise<Uint8Array> {
    if (task?.source !== 'objectName') return task?.content ?? new Uint8Array(0);
    const content = await this.#objects.get(task.objectName ?? '');
    if (content === undefined)
      throw new KinscanError('CORRUPT_RECORD', 'the image of this dead letter is gone');
    return content;
  }

  /** Removes the letter, not its object. @returns whether it was there */
  async remove(sequence: number): Promise<boolean> {
    try {
      return await this.#manager.streams.deleteMessage(STREAM.deadLetters, sequence, true);
    } catch (error) {
      if (isNoSuchMessage(error)) return false;
      throw error;
    }
  }

  /** Removes the letter and its image for good. */
  async drop({ sequence, entry }: StoredDeadLetter): Promise<boolean> {
    const isRemoved = await this.remove(sequence);
    if (entry.task?.source === 'objectName') await this.#objects.drop(entry.task.objectName ?? '');
    return isRemoved;
  }
}

/** A dead letter as clients see it; the image's bytes are asked for apart. */
export function deadLetterOf({ sequence, entry }: StoredDeadLetter): DeadLetter {
  return {
    sequence,
    imageId: entry.task?.imageId ?? '',
    revision: entry.revision,
    reason: entry.reason,
    failedAtMs: entry.failedAtMs,
    contentBytes: entry.task?.contentBytes ?? 0,
    deliveries: entry.deliveries,
  };
}
