/** Lets at most `capacity` holders in at once; the others wait in order of arrival. */
export class Semaphore {
  #free: number;
  readonly #waiters: (() => void)[] = [];

  constructor(capacity: number) {
    this.#free = capacity;
  }

  async hold<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    // a leaving holder hands its place over
    else await new Promise<void>((resolve) => this.#waiters.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiters.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
