import { STREAM, SUBJECT } from '../runtime/streams.js';
import type { StreamReader } from './stream-reader.js';

/** Subjects asked at a time. */
const REQUESTS_IN_FLIGHT_MAX = 64;

/** What the coordinator reads of the CODES log: how far it goes, never its entries. */
export class CodesLog {
  readonly #reader: StreamReader;
  readonly #partitionCount: number;

  constructor(reader: StreamReader, partitionCount: number) {
    this.#reader = reader;
    this.#partitionCount = partitionCount;
  }

  /**
   * Sequence of the last entry that concerns each partition, its own or one for all; 0 where none is kept. Shape
   * [partitionCount].
   */
  async lastSequences(): Promise<number[]> {
    const ofAll = await this.#reader.lastSequence(STREAM.codes, SUBJECT.codesAll);
    const sequences: number[] = [];
    for (let first = 0; first < this.#partitionCount; first += REQUESTS_IN_FLIGHT_MAX) {
      const count = Math.min(REQUESTS_IN_FLIGHT_MAX, this.#partitionCount - first);
      const asked = Array.from({ length: count }, (_, i) =>
        this.#reader.lastSequence(STREAM.codes, SUBJECT.codes(first + i)),
      );
      for (const own of await Promise.all(asked)) sequences.push(Math.max(own, ofAll));
    }
    return sequences;
  }

  /** Entries of the log that a replica of the partition at this position has not applied. */
  async lag(partition: number, position: number, lastSequence: number): Promise<number> {
    if (position >= lastSequence) return 0;
    return this.#reader.countFrom(STREAM.codes, [SUBJECT.codes(partition), SUBJECT.codesAll], position + 1);
  }
}
