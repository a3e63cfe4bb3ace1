import type { KinscanError } from '../../core/errors.js';
import { toKinscanError } from '../../core/errors.js';
import type { FoundFile } from './find-files.js';
import { ingestFile, type IngestFileOptions } from './ingest-file.js';
import type { IngestClient } from './ingest-client.js';

export interface IngestReport {
  accepted: number;
  rejected: number;
  readonly failed: { readonly path: string; readonly code: string; readonly message: string }[];
}

export interface IngestFilesOptions extends IngestFileOptions {
  /** Files under way at once. */
  readonly concurrency: number;
  readonly onProgress?: (report: IngestReport) => void;
}

/** Ingests all files; what fails is reported and the rest goes on. */
export async function ingestFiles(
  client: IngestClient,
  files: AsyncIterable<FoundFile>,
  options: IngestFilesOptions,
): Promise<IngestReport> {
  const report: IngestReport = { accepted: 0, rejected: 0, failed: [] };
  const iterator = files[Symbol.asyncIterator]();
  const worker = async (): Promise<void> => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      await ingestOne(client, next.value, options, report);
      options.onProgress?.(report);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  return report;
}

async function ingestOne(
  client: IngestClient,
  file: FoundFile,
  options: IngestFilesOptions,
  report: IngestReport,
): Promise<void> {
  try {
    await ingestFile(client, file, options);
    report.accepted++;
  } catch (thrown) {
    const { code, message }: KinscanError = toKinscanError(thrown);
    report.rejected++;
    report.failed.push({ path: file.path, code, message });
  }
}
