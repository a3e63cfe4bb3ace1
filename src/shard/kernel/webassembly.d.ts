// What of WebAssembly the search uses. Its types come with TypeScript's "dom" library only, which a server leaves out.
// https://webassembly.github.io/threads/js-api/
declare namespace WebAssembly {
  class Module {
    private constructor();
  }
  class Memory {
    /** Sizes in pages of 64 KiB; a shared memory needs a maximum. */
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    /** Grows with the memory; buffers taken before keep their length and stay valid. */
    readonly buffer: SharedArrayBuffer;
    /** @returns the size before, in pages */
    grow(pages: number): number;
  }
  class Instance {
    constructor(module: Module, imports: { env: { memory: Memory } });
    readonly exports: object;
  }
  function compile(bytes: Uint8Array): Promise<Module>;
}
