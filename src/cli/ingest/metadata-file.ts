import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { KinscanError } from '../../core/errors.js';
import type { ImageMetadata } from '../../generated/kinscan/v1/ImageMetadata.js';

/** What a client may say of an image, and as what kind of value. */
const FIELDS: Readonly<Record<string, 'string' | 'number'>> = {
  label: 'string',
  modality: 'string',
  bodyPart: 'string',
  laterality: 'string',
  studyInstanceUid: 'string',
  seriesInstanceUid: 'string',
  studyDate: 'number',
  patientHash: 'string',
};

/**
 * Metadata by file, from a file of JSON lines: `{"path":"a/b.png","label":"liver","studyDate":20240229}`, where path is
 * relative to the folder that is ingested and the other keys are those of a search's metadata.
 * @throws KinscanError INVALID_ARGUMENT with the number of the line
 */
export async function readMetadataFile(file: string): Promise<ReadonlyMap<string, ImageMetadata>> {
  const byPath = new Map<string, ImageMetadata>();
  let number = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      number++;
      if (line.trim() === '') continue;
      const { path, ...metadata } = checked(JSON.parse(line));
      byPath.set(path, metadata);
    }
  } catch (cause) {
    const where = number === 0 ? file : `${file}, line ${number}`;
    const why =
      cause instanceof KinscanError ? cause.message : ((cause as NodeJS.ErrnoException).code ?? 'is no JSON');
    throw new KinscanError('INVALID_ARGUMENT', `${where}: ${why}`, { cause });
  }
  return byPath;
}

function checked(value: unknown): ImageMetadata & { path: string } {
  if (typeof value !== 'object' || value === null) throw invalid('is no JSON object');
  const { path, ...fields } = value as Record<string, unknown>;
  if (typeof path !== 'string') throw invalid('has no path');
  for (const [key, field] of Object.entries(fields)) {
    const kind = Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
    if (kind === undefined)
      throw invalid(`has the key ${key}, which is none of ${Object.keys(FIELDS).join(', ')}`);
    if (typeof field !== kind) throw invalid(`has a ${key} that is no ${kind}`);
  }
  return { path, ...fields };
}

function invalid(message: string): KinscanError {
  return new KinscanError('INVALID_ARGUMENT', message);
}
