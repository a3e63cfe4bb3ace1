import { KinscanError } from '../core/errors.js';

export interface InFlightLimits {
  readonly imagesMax: number;
  readonly bytesMax: number;
  /** Bytes that a queue entry may turn out to have, before it is there. */
  readonly entryBytesMax: number;
}

/**
 * What this node may hold at once: queue entries, and bytes of files.
 *
 *   images  |■■■■■■■■■■■■■■□□□□□□□|          imagesMax
 *   bytes   |■■■■■■ entries ■■■■ objects □□| bytesMax
 *
 * Entries are asked for only as far as both allow, each counted with its largest possible size until it is there.
 * Files from the object store wait for their bytes, in order, and while one waits no new entries are asked for.
 */
export class InFlightBudget {
  readonly #limits: InFlightLimits;
  #images = 0;
  #bytes = 0;
  readonly #fileWaiters: { readonly bytes: number; readonly enter: () => void }[] = [];
  #creditWaiter: (() => void) | undefined;

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  get images(): number {
    return this.#images;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Entries that may be asked for now, 0 or more. */
  entryCredit(): number {
    if (this.#fileWaiters.length > 0) return 0;
    const { imagesMax, bytesMax, entryBytesMax } = this.#limits;
    const byBytes = Math.floor((bytesMax - this.#bytes) / entryBytesMax);
    // however small the budget, one entry at a time goes through
    const least = this.#images === 0 ? 1 : 0;
    return Math.max(least, Math.min(imagesMax - this.#images, byBytes));
  }

  /** Resolves when an amount worth asking for (a quarter of the most), or the signal, has come. */
  async waitForCredit(signal: AbortSignal): Promise<void> {
    const { imagesMax, bytesMax, entryBytesMax } = this.#limits;
    const worthwhile = Math.max(1, Math.floor(Math.min(imagesMax, bytesMax / entryBytesMax) / 4));
    const wake = () => this.#creditWaiter?.();
    signal.addEventListener('abort', wake);
    while (
      this.entryCredit() < worthwhile &&
      !(this.#images === 0 && this.entryCredit() > 0) &&
      !signal.aborted
    ) {
      await new Promise<void>((resolve) => (this.#creditWaiter = resolve));
    }
    signal.removeEventListener('abort', wake);
  }

  addEntry(bytes: number): void {
    this.#images++;
    this.#bytes += bytes;
  }

  removeEntry(bytes: number): void {
    this.#images--;
    this.#freeBytes(bytes);
  }

  /**
   * Counts the bytes of a file from the object store, as soon as they fit, until they are given back.
   * @throws KinscanError IMAGE_TOO_LARGE where they never will
   */
  async holdFile<Result>(bytes: number, work: () => Promise<Result>): Promise<Result> {
    if (bytes > this.#limits.bytesMax) {
      throw new KinscanError('IMAGE_TOO_LARGE', `${bytes} bytes are more than this encoder holds at once`);
    }
    await new Promise<void>((resolve) => {
      this.#fileWaiters.push({ bytes, enter: resolve });
      this.#admitFiles();
    });
    try {
      return await work();
    } finally {
      this.#freeBytes(bytes);
    }
  }

  #freeBytes(bytes: number): void {
    this.#bytes -= bytes;
    this.#admitFiles();
    this.#creditWaiter?.();
  }

  #admitFiles(): void {
    for (let first = this.#fileWaiters[0]; first !== undefined; first = this.#fileWaiters[0]) {
      if (this.#bytes + first.bytes > this.#limits.bytesMax && this.#bytes > 0) return;
      this.#bytes += first.bytes;
      this.#fileWaiters.shift();
      first.enter();
    }
  }
}
