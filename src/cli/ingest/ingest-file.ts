import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { KinscanError } from '../../core/errors.js';
import type { IngestAccepted__Output } from '../../generated/kinscan/v1/IngestAccepted.js';
import type { IngestWait } from '../../generated/kinscan/v1/IngestWait.js';
import { identifyImage } from '../../imaging/identify-image.js';
import { IMAGE_BYTES_MAX_DEFAULT } from '../../runtime/message-limits.js';
import type { FoundFile } from './find-files.js';
import type { IngestClient } from './ingest-client.js';

export interface IngestFileOptions {
  readonly wait: IngestWait;
  /** Whether the name of the file's folder is its label. */
  readonly labelFromFolder: boolean;
}

/**
 * Ingests one file. Its id is its relative path, unless it is DICOM: then the coordinator takes the SOP Instance UID.
 * @throws KinscanError
 */
export async function ingestFile(
  client: IngestClient,
  file: FoundFile,
  options: IngestFileOptions,
): Promise<IngestAccepted__Output> {
  const content = await readImage(file.path);
  const { format } = identifyImage(content);
  const folder = path.basename(path.dirname(path.resolve(file.path)));
  return client.ingest({
    imageId: format === 'dicom' ? '' : file.relativePath,
    content,
    wait: options.wait,
    ...(options.labelFromFolder ? { metadata: { label: folder } } : {}),
  });
}

/** Looks at the size first, so that no huge file is read only to be refused. */
async function readImage(file: string): Promise<Buffer> {
  try {
    const { size } = await stat(file);
    if (size > IMAGE_BYTES_MAX_DEFAULT) {
      throw new KinscanError(
        'IMAGE_TOO_LARGE',
        `the file has ${size} bytes, the limit is ${IMAGE_BYTES_MAX_DEFAULT}`,
      );
    }
    return await readFile(file);
  } catch (error) {
    if (error instanceof KinscanError) throw error;
    throw new KinscanError(
      'INVALID_ARGUMENT',
      `cannot read the file: ${(error as NodeJS.ErrnoException).code}`,
      { cause: error },
    );
  }
}
