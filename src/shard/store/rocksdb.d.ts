// The part of rocksdb 5.2.1 (abstract-leveldown 7 over RocksDB 6.17) that rocks-database.ts uses; the package has no types.
declare module 'rocksdb' {
  export type Callback<Result = void> = (error: Error | null | undefined, result: Result) => void;

  export interface OpenOptions {
    readonly createIfMissing: boolean;
    /** Snappy. */
    readonly compression: boolean;
    /** Bytes. */
    readonly cacheSize: number;
    /** Bytes of one memtable; RocksDB keeps two at most. */
    readonly writeBufferSize: number;
    /** Bytes. */
    readonly blockSize: number;
    readonly maxOpenFiles: number;
  }

  export type Operation =
    | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
    | { readonly type: 'del'; readonly key: Buffer };

  export interface Iterator {
    next(callback: (error: Error | null | undefined, key?: Buffer, value?: Buffer) => void): void;
    end(callback: Callback): void;
  }

  export interface Database {
    open(options: OpenOptions, callback: Callback): void;
    close(callback: Callback): void;
    getMany(
      keys: readonly Buffer[],
      options: { readonly fillCache: boolean },
      callback: Callback<(Buffer | undefined)[]>,
    ): void;
    batch(operations: readonly Operation[], options: { readonly sync: boolean }, callback: Callback): void;
    iterator(options: {
      readonly gte: Buffer;
      readonly lt: Buffer;
      readonly values: boolean;
      /** Bytes read at once. */
      readonly highWaterMark: number;
      /** From the last entry to the first. */
      readonly reverse?: boolean;
    }): Iterator;
    /** Text; empty for a property that RocksDB does not know. */
    getProperty(property: string): string;
    clear(options: { readonly gte: Buffer; readonly lt: Buffer }, callback: Callback): void;
  }

  function rocksdb(folder: string): Database;
  export default rocksdb;
}
