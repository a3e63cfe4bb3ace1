import { watch, type FSWatcher } from 'chokidar';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { toKinscanError } from '../../core/errors.js';
import type { DeleteRequest } from '../../generated/kinscan/v1/DeleteRequest.js';
import type { DeleteResponse__Output } from '../../generated/kinscan/v1/DeleteResponse.js';
import type { GrpcClient } from '../../runtime/grpc-client.js';
import type { Logger } from '../../runtime/log.js';
import { ingestFile } from '../ingest/ingest-file.js';
import type { IngestClient } from '../ingest/ingest-client.js';
import type { WatchJournal } from './watch-journal.js';

export interface FolderWatcherOptions {
  readonly folder: string;
  readonly journal: WatchJournal;
  readonly ingest: IngestClient;
  readonly coordinator: GrpcClient;
  readonly log: Logger;
}

/** Files under way at once. */
const CONCURRENCY = 64;
/** A file is taken once its size has rested so long: half-written files are not read. */
const SETTLE_MS = 500;
const SAVE_INTERVAL_MS = 2_000;
const DELETE_TIMEOUT_MS = 60_000;

/**
 * Keeps the index in step with a folder: new and changed files are ingested, removed ones deleted, also what happened
 * while nothing watched. The id of a file is its relative path, unless it is DICOM.
 */
export class FolderWatcher {
  readonly #options: FolderWatcherOptions;
  readonly #watcher: FSWatcher;
  readonly #saver: NodeJS.Timeout;
  /** Relative paths to look at; a path stands here once however often it changes. */
  readonly #queue = new Set<string>();
  readonly #underWay = new Set<string>();

  constructor(options: FolderWatcherOptions) {
    this.#options = options;
    this.#watcher = watch(options.folder, {
      cwd: options.folder,
      ignored: (file) =>
        path.basename(file).startsWith('.') && path.resolve(file) !== path.resolve(options.folder),
      awaitWriteFinish: { stabilityThreshold: SETTLE_MS, pollInterval: 100 },
    });
    for (const event of ['add', 'change', 'unlink'] as const)
      this.#watcher.on(event, (file) => this.#enqueue(file));
    this.#watcher.on('error', (error) => options.log.error({ err: error }, 'watching failed'));
    for (const relativePath of options.journal.paths()) this.#enqueue(relativePath);
    this.#saver = setInterval(() => this.#save(), SAVE_INTERVAL_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.#saver);
    this.#queue.clear();
    await this.#watcher.close();
    this.#save();
  }

  #enqueue(relativePath: string): void {
    this.#queue.add(relativePath);
    this.#pump();
  }

  #pump(): void {
    for (const relativePath of this.#queue) {
      if (this.#underWay.size >= CONCURRENCY) return;
      if (this.#underWay.has(relativePath)) continue;
      this.#queue.delete(relativePath);
      this.#underWay.add(relativePath);
      void this.#bringUpToDate(relativePath).finally(() => {
        this.#underWay.delete(relativePath);
        this.#pump();
      });
    }
  }

  /** Makes the index agree with the file as it is now, whatever event led here. */
  async #bringUpToDate(relativePath: string): Promise<void> {
    const { folder, journal, log } = this.#options;
    try {
      const file = path.join(folder, relativePath);
      const info = await stat(file).catch(() => undefined);
      const known = journal.get(relativePath);
      if (info?.isFile()) {
        if (known?.sizeBytes === info.size && known.modifiedMs === info.mtimeMs) return;
        const imageId = await this.#ingest(file, relativePath);
        journal.set(relativePath, { sizeBytes: info.size, modifiedMs: info.mtimeMs, imageId });
      } else if (known !== undefined) {
        await this.#delete(known.imageId);
        journal.delete(relativePath);
      }
    } catch (thrown) {
      log.warn({ code: toKinscanError(thrown).code }, 'a watched file could not be indexed');
    }
  }

  async #ingest(file: string, relativePath: string): Promise<string> {
    const accepted = await ingestFile(
      this.#options.ingest,
      { path: file, relativePath: relativePath.split(path.sep).join('/') },
      { wait: 'INGEST_WAIT_QUEUED', labelFromFolder: false },
    );
    return accepted.imageId;
  }

  async #delete(imageId: string): Promise<void> {
    const request: DeleteRequest = { imageIds: [imageId], wait: 'INGEST_WAIT_QUEUED' };
    await this.#options.coordinator.call<DeleteRequest, DeleteResponse__Output>('Delete', request, {
      timeoutMs: DELETE_TIMEOUT_MS,
    });
  }

  #save(): void {
    try {
      this.#options.journal.save();
    } catch (error) {
      this.#options.log.error({ err: error }, 'the watch journal could not be written');
    }
  }
}
