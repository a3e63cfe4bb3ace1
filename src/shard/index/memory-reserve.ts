/**
 * Memories that no segment uses, for the next segment. V8 does not give back shared memory soon, if ever, so memory is
 * kept and used again: a rebuild takes the memory that the rebuild before it set free, and a shard server holds its
 * segments and about one more. A memory that is too small is grown in place.
 */
export class MemoryReserve {
  readonly #free: WebAssembly.Memory[] = [];

  /** The smallest free memory that suffices, else the largest (to be grown), else none. */
  take(byteLength: number): WebAssembly.Memory | undefined {
    this.#free.sort((a, b) => a.buffer.byteLength - b.buffer.byteLength);
    const at = this.#free.findIndex((memory) => memory.buffer.byteLength >= byteLength);
    return at < 0 ? this.#free.pop() : this.#free.splice(at, 1)[0];
  }

  /** Nobody may read or write the memory any more. */
  give(memory: WebAssembly.Memory): void {
    this.#free.push(memory);
  }

  get reservedBytes(): number {
    return this.#free.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
  }
}
