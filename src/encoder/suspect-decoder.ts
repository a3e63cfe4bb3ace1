import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { KinscanError } from '../core/errors.js';
import type { Logger } from '../runtime/log.js';
import type { DecodedFile, DecodeOutcome, DecodeRequest, DecodeSettings } from './decode-task.js';
import { Semaphore } from './semaphore.js';
import type { SuspectRequest } from './suspect-process.js';

/** Limit on one request; a decoder that hangs is as bad as one that crashes. */
const REQUEST_TIMEOUT_MS = 120_000;
/** The process ends after so long without work. */
const IDLE_TIMEOUT_MS = 10_000;

export interface SuspectDecoderOptions {
  readonly settings: DecodeSettings;
  readonly log: Logger;
  /** The compiled file that the process runs. @default ./suspect-process.js */
  readonly processFile?: URL;
}

/**
 * Decodes images that were here before and never came to an end, in a process of its own, one at a time.
 *
 * A native decoder that crashes ends its whole process. All images that were in flight with the deadly one are then
 * delivered again, and none of them can tell which it was: dead-lettering all would punish hundreds for one. Here the
 * deadly one ends this small process only, alone, and is known.
 */
export class SuspectDecoder {
  readonly #options: SuspectDecoderOptions;
  readonly #oneAtATime = new Semaphore(1);
  #child: ChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: SuspectDecoderOptions) {
    this.#options = options;
  }

  /** @throws KinscanError as Decoder.decode; TOO_MANY_ATTEMPTS where the image ends the process or hangs */
  decode(request: DecodeRequest): Promise<DecodedFile> {
    return this.#oneAtATime.hold(async () => {
      clearTimeout(this.#idle);
      const child = (this.#child ??= this.#start());
      const outcome = await this.#ask(child, { request, settings: this.#options.settings });
      this.#idle = setTimeout(() => this.close(), IDLE_TIMEOUT_MS);
      if ('code' in outcome) throw new KinscanError(outcome.code, outcome.message);
      return outcome;
    });
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #start(): ChildProcess {
    const file = this.#options.processFile ?? new URL('./suspect-process.js', import.meta.url);
    // 'advanced' carries typed arrays as they are
    return fork(fileURLToPath(file), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  }

  #ask(child: ChildProcess, request: SuspectRequest): Promise<DecodeOutcome> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), REQUEST_TIMEOUT_MS);
      const settle = () => {
        clearTimeout(timer);
        child.off('message', onAnswer);
        child.off('exit', onEnd);
        child.off('error', onError);
      };
      const onAnswer = (outcome: unknown) => {
        settle();
        resolve(outcome as DecodeOutcome);
      };
      const fail = (error: KinscanError) => {
        settle();
        this.#child = undefined;
        this.#options.log.error({ err: error.cause ?? error }, 'the process that decodes suspects ended');
        reject(error);
      };
      const onEnd = () =>
        fail(new KinscanError('TOO_MANY_ATTEMPTS', 'decoding this image ends the process that does it'));
      const onError = (cause: Error) =>
        fail(new KinscanError('INTERNAL', 'no process to decode in', { cause }));
      child.on('message', onAnswer);
      child.on('exit', onEnd);
      child.on('error', onError);
      child.send(request);
    });
  }
}
