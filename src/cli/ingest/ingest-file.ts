import path from 'node:path';
import type { IngestAccepted__Output } from '../../generated/kinscan/v1/IngestAccepted.js';
import type { ImageMetadata } from '../../generated/kinscan/v1/ImageMetadata.js';
import type { IngestWait } from '../../generated/kinscan/v1/IngestWait.js';
import { identifyImage } from '../../imaging/identify-image.js';
import { readImageFile } from '../read-image-file.js';
import type { FoundFile } from './find-files.js';
import type { IngestClient } from './ingest-client.js';

export interface IngestFileOptions {
  readonly wait: IngestWait;
  /** Whether the name of the file's folder is its label. */
  readonly labelFromFolder: boolean;
  /** By relative path, on top of the label. */
  readonly metadata?: ReadonlyMap<string, ImageMetadata>;
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
  const content = await readImageFile(file.path);
  const { format } = identifyImage(content);
  const folder = path.basename(path.dirname(path.resolve(file.path)));
  return client.ingest({
    imageId: format === 'dicom' ? '' : file.relativePath,
    content,
    wait: options.wait,
    metadata: {
      ...(options.labelFromFolder && { label: folder }),
      ...options.metadata?.get(file.relativePath),
    },
  });
}
