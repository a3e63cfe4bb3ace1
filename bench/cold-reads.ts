/** More than the caches of a server processor hold. */
const COLD_BYTES_MIN = 2 ** 29;

/** Milliseconds in which memchr (Buffer.indexOf of a byte that is not there) reads the bytes. */
export function plainReadMs(bytes: Buffer): number {
  const begin = performance.now();
  bytes.indexOf(0);
  return performance.now() - begin;
}

/** Plain reads of so many bytes, each of another place: what was just read is in the caches. */
export class ColdReads {
  readonly #bytes: Buffer;
  readonly #length: number;
  #at = 0;

  constructor(length: number) {
    this.#length = length;
    this.#bytes = Buffer.alloc(Math.max(COLD_BYTES_MIN, length), 1);
  }

  /** Milliseconds of the next one. */
  readMs(): number {
    if (this.#at + this.#length > this.#bytes.length) this.#at = 0;
    const from = this.#at;
    this.#at += this.#length;
    return plainReadMs(this.#bytes.subarray(from, this.#at));
  }
}
