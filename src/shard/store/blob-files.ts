import { mkdir, open, readdir, stat, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { KinscanError } from '../../core/errors.js';

/** Which blobs a file holds. */
export interface BlobFile {
  readonly partition: number;
  /** 1 or more. */
  readonly generation: number;
}

const FOLDER = 'blobs';
const NAME = /^p(\d{5,})-g(\d{7,})\.rows$/;

/**
 * The files of blobs in a data folder, one for each generation of a partition's rows: `blobs/p00012-g0000007.rows`. What
 * is in them, and which of them count, is the business of blob-store.ts.
 */
export class BlobFiles {
  readonly #folder: string;
  /** Bytes of each file, by its name. */
  readonly #byteLengths = new Map<string, number>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws KinscanError STORAGE_FULL, INTERNAL */
  static async open(dataFolder: string): Promise<BlobFiles> {
    const files = new BlobFiles(path.join(dataFolder, FOLDER));
    await told(files.#list());
    return files;
  }

  /** Bytes of all files. */
  get byteLength(): number {
    let sum = 0;
    for (const bytes of this.#byteLengths.values()) sum += bytes;
    return sum;
  }

  /** The files that there are, in no order. */
  list(): BlobFile[] {
    return [...this.#byteLengths.keys()].flatMap((name) => fileOf(name) ?? []);
  }

  /**
   * Writes chunks from byte `at` on; they are on disk after sync(). At 0 the file begins anew.
   * @throws KinscanError STORAGE_FULL, INTERNAL
   */
  async write(file: BlobFile, at: number, chunks: readonly Uint8Array[]): Promise<void> {
    const name = nameOf(file);
    await told(
      this.#with(name, at === 0 ? 'w' : 'r+', async (handle) => {
        let end = at;
        this.#byteLengths.set(name, end);
        for (const chunk of chunks) {
          for (let done = 0; done < chunk.length;) {
            done += (await handle.write(chunk, done, chunk.length - done, end + done)).bytesWritten;
          }
          this.#byteLengths.set(name, (end += chunk.length));
        }
      }),
    );
  }

  /** Returns once a file and its name are on disk. @throws KinscanError STORAGE_FULL, INTERNAL */
  async sync(file: BlobFile): Promise<void> {
    await told(this.#with(nameOf(file), 'r+', (handle) => handle.sync()));
    await told(this.#with('.', 'r', (handle) => handle.sync()));
  }

  /**
   * Opens a file of so many bytes.
   * @throws KinscanError CORRUPT_RECORD where it is missing or has another length
   */
  async read(file: BlobFile, byteLength: number): Promise<BlobReader> {
    let handle: FileHandle;
    try {
      handle = await open(path.join(this.#folder, nameOf(file)), 'r');
    } catch (error) {
      throw readingError(error);
    }
    const reader = new BlobReader(handle);
    try {
      await reader.checkLength(byteLength);
    } catch (error) {
      await reader.close();
      throw error;
    }
    return reader;
  }

  /** Deletes files; those that are not there are no failure. @throws KinscanError INTERNAL */
  async remove(files: readonly BlobFile[]): Promise<void> {
    for (const name of files.map(nameOf)) {
      try {
        await unlink(path.join(this.#folder, name));
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw fileError(error);
      }
      this.#byteLengths.delete(name);
    }
  }

  async #list(): Promise<void> {
    const isNew = (await mkdir(this.#folder, { recursive: true })) !== undefined;
    if (isNew) await this.#with('..', 'r', (handle) => handle.sync());
    for (const name of await readdir(this.#folder)) {
      if (fileOf(name) === undefined) continue;
      const { size } = await stat(path.join(this.#folder, name));
      this.#byteLengths.set(name, size);
    }
  }

  async #with(name: string, flags: string, use: (handle: FileHandle) => Promise<void>): Promise<void> {
    const handle = await open(path.join(this.#folder, name), flags);
    try {
      await use(handle);
    } finally {
      await handle.close();
    }
  }
}

/** A file of blobs that is being read. */
export class BlobReader {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** @throws KinscanError CORRUPT_RECORD */
  async checkLength(byteLength: number): Promise<void> {
    const { size } = await this.#handle.stat().catch(rethrowReading);
    if (size !== byteLength) throw damaged('has another length than it should');
  }

  /** Fills buffers, one after the other, from byte `at` on. @throws KinscanError CORRUPT_RECORD */
  async fill(at: number, buffers: readonly Uint8Array[]): Promise<void> {
    const wanted = buffers.reduce((sum, { length }) => sum + length, 0);
    const { bytesRead } = await this.#handle.readv([...buffers], at).catch(rethrowReading);
    if (bytesRead !== wanted) throw damaged('ends too early');
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function nameOf({ partition, generation }: BlobFile): string {
  return `p${String(partition).padStart(5, '0')}-g${String(generation).padStart(7, '0')}.rows`;
}

function fileOf(name: string): BlobFile | undefined {
  const match = NAME.exec(name);
  return match ? { partition: Number(match[1]), generation: Number(match[2]) } : undefined;
}

async function told<Result>(doing: Promise<Result>): Promise<Result> {
  try {
    return await doing;
  } catch (error) {
    throw fileError(error);
  }
}

function rethrowReading(error: unknown): never {
  throw readingError(error);
}

/** What cannot be read is made again from the tie entries. */
function readingError(error: unknown): KinscanError {
  const code = codeOf(error);
  if (code === 'ENOENT') return damaged('is missing');
  if (code === 'EIO') return damaged('cannot be read', error);
  return fileError(error);
}

function damaged(how: string, cause?: unknown): KinscanError {
  return new KinscanError('CORRUPT_RECORD', `a stored file of rows ${how}`, { cause });
}

function fileError(error: unknown): KinscanError {
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new KinscanError('STORAGE_FULL', 'the disk of the data folder is full', { cause: error });
  return new KinscanError('INTERNAL', 'a file of the store failed', { cause: error });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
