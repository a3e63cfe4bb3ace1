import { KinscanError } from '../core/errors.js';
import type { DropDeadLettersRequest__Output } from '../generated/kinscan/v1/DropDeadLettersRequest.js';
import type { DropDeadLettersResponse } from '../generated/kinscan/v1/DropDeadLettersResponse.js';
import type { GetDeadLetterRequest__Output } from '../generated/kinscan/v1/GetDeadLetterRequest.js';
import type { GetDeadLetterResponse } from '../generated/kinscan/v1/GetDeadLetterResponse.js';
import type { ListDeadLettersRequest__Output } from '../generated/kinscan/v1/ListDeadLettersRequest.js';
import type { ListDeadLettersResponse } from '../generated/kinscan/v1/ListDeadLettersResponse.js';
import type { RetryDeadLettersRequest__Output } from '../generated/kinscan/v1/RetryDeadLettersRequest.js';
import type { RetryDeadLettersResponse } from '../generated/kinscan/v1/RetryDeadLettersResponse.js';
import type { CallContext } from '../runtime/grpc-server.js';
import { deadLetterOf, type DeadLetterStore, type StoredDeadLetter } from './dead-letter-store.js';
import type { TaskPublisher } from './task-publisher.js';

const LIST_LIMIT_MAX = 1_000;
const LIST_LIMIT_DEFAULT = 100;
const SEQUENCES_MAX = 1_000;
/** Letters read at a time where all are meant; each may hold an image of 1 MiB. */
const PAGE_LENGTH = 50;

interface Selection {
  readonly sequences: readonly number[];
  readonly all: boolean;
}

/** The public service DeadLetters. Every method @throws KinscanError as dead_letters.proto says. */
export class DeadLettersService {
  readonly #store: DeadLetterStore;
  readonly #publisher: TaskPublisher;

  constructor(store: DeadLetterStore, publisher: TaskPublisher) {
    this.#store = store;
    this.#publisher = publisher;
  }

  async list({ afterSequence, limit }: ListDeadLettersRequest__Output): Promise<ListDeadLettersResponse> {
    if (limit > LIST_LIMIT_MAX) {
      throw new KinscanError('INVALID_ARGUMENT', `limit is at most ${LIST_LIMIT_MAX}, not ${limit}`);
    }
    const [letters, total] = await Promise.all([
      this.#store.list(afterSequence, limit === 0 ? LIST_LIMIT_DEFAULT : limit),
      this.#store.total(),
    ]);
    return { deadLetters: letters.map(deadLetterOf), total };
  }

  async get(request: GetDeadLetterRequest__Output): Promise<GetDeadLetterResponse> {
    const letter = await this.#store.find(request.sequence);
    if (letter === undefined) {
      throw new KinscanError('DEAD_LETTER_NOT_FOUND', `no dead letter ${request.sequence} is kept`);
    }
    const content = request.includeContent ? await this.#store.content(letter.entry) : undefined;
    return {
      deadLetter: deadLetterOf(letter),
      ...(content === undefined
        ? {}
        : { content: Buffer.from(content.buffer, content.byteOffset, content.length) }),
    };
  }

  async retry(
    request: RetryDeadLettersRequest__Output,
    { signal }: CallContext,
  ): Promise<RetryDeadLettersResponse> {
    const { done, missing } = await this.#forEach(request, signal, async (letter) => {
      if (letter.entry.task === null) return this.#store.drop(letter);
      // a retry that is repeated because the letter could not be removed is stored once
      await this.#publisher.publish({ ingest: letter.entry.task }, `retry:${letter.sequence}`);
      return this.#store.remove(letter.sequence);
    });
    return { retried: done, missing };
  }

  async drop(
    request: DropDeadLettersRequest__Output,
    { signal }: CallContext,
  ): Promise<DropDeadLettersResponse> {
    const { done, missing } = await this.#forEach(request, signal, (letter) => this.#store.drop(letter));
    return { dropped: done, missing };
  }

  /** @param act returns false where somebody else was faster */
  async #forEach(
    selection: Selection,
    signal: AbortSignal,
    act: (letter: StoredDeadLetter) => Promise<boolean>,
  ): Promise<{ done: number; missing: number }> {
    checkSelection(selection);
    let done = 0;
    let missing = 0;
    for await (const letter of selection.all ? this.#all() : this.#named(selection.sequences)) {
      if (signal.aborted) throw new KinscanError('DEADLINE_EXCEEDED', `the deadline passed after ${done}`);
      if (letter !== undefined && (await act(letter))) done++;
      else missing++;
    }
    return { done, missing };
  }

  async *#named(sequences: readonly number[]): AsyncIterable<StoredDeadLetter | undefined> {
    for (const sequence of new Set(sequences)) yield this.#store.find(sequence);
  }

  /** Those that are there now; one that fails again while we are at it is not tried twice. */
  async *#all(): AsyncIterable<StoredDeadLetter> {
    const lastSequence = await this.#store.lastSequence();
    for (let after = 0; after < lastSequence;) {
      const page = await this.#store.list(after, PAGE_LENGTH);
      if (page.length === 0) return;
      yield* page.filter(({ sequence }) => sequence <= lastSequence);
      after = page.at(-1)?.sequence ?? lastSequence;
    }
  }
}

function checkSelection({ sequences, all }: Selection): void {
  if (all ? sequences.length > 0 : sequences.length < 1 || sequences.length > SEQUENCES_MAX) {
    throw new KinscanError('INVALID_ARGUMENT', `name 1 to ${SEQUENCES_MAX} sequences, or all and none`);
  }
}
