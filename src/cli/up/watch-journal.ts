import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What was last ingested of one file. */
export interface WatchedFile {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** The id that the index gave it. */
  readonly imageId: string;
}

/**
 * Remembers which files of a watched folder are in the index, so that a restart ingests only what changed and deletes what
 * went away in the meantime. Losing the last changes is harmless: those files are ingested again, under the same ids.
 */
export class WatchJournal {
  readonly #file: string;
  readonly #files: Map<string, WatchedFile>;
  #dirty = false;

  constructor(file: string) {
    this.#file = file;
    this.#files = read(file);
  }

  get(relativePath: string): WatchedFile | undefined {
    return this.#files.get(relativePath);
  }

  paths(): string[] {
    return [...this.#files.keys()];
  }

  set(relativePath: string, file: WatchedFile): void {
    this.#files.set(relativePath, file);
    this.#dirty = true;
  }

  delete(relativePath: string): void {
    this.#dirty = this.#files.delete(relativePath) || this.#dirty;
  }

  /** Writes what changed, whole or not at all. */
  save(): void {
    if (!this.#dirty) return;
    mkdirSync(path.dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.new`, JSON.stringify([...this.#files]));
    renameSync(`${this.#file}.new`, this.#file);
    this.#dirty = false;
  }
}

function read(file: string): Map<string, WatchedFile> {
  try {
    return new Map(JSON.parse(readFileSync(file, 'utf8')) as [string, WatchedFile][]);
  } catch {
    // absent, or damaged by hand: start anew, which only costs ingesting once more
    return new Map();
  }
}
