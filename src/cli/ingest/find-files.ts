import { opendir, stat } from 'node:fs/promises';
import path from 'node:path';
import { KinscanError } from '../../core/errors.js';

/** A file to ingest. */
export interface FoundFile {
  /** Where it is. */
  readonly path: string;
  /** Its path relative to the folder that was given, with `/` between the parts; for a file that was given, its name. */
  readonly relativePath: string;
}

/**
 * The files under a path, folders walked depth first in name order, one folder in memory at a time. Names that begin with
 * a dot and what is neither file nor folder are passed over; links are followed for files only, so that walks end.
 * @throws KinscanError INVALID_ARGUMENT where the path does not exist
 */
export async function* findFiles(given: string): AsyncGenerator<FoundFile> {
  const info = await stat(given).catch((cause: unknown) => {
    throw new KinscanError('INVALID_ARGUMENT', `there is no file or folder ${given}`, { cause });
  });
  if (info.isDirectory()) yield* walk(given, '');
  else yield { path: given, relativePath: path.basename(given) };
}

async function* walk(root: string, relativeFolder: string): AsyncGenerator<FoundFile> {
  const entries = [];
  for await (const entry of await opendir(path.join(root, relativeFolder))) entries.push(entry);
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const relativePath = relativeFolder === '' ? entry.name : `${relativeFolder}/${entry.name}`;
    const file = path.join(root, relativePath);
    if (entry.isDirectory()) yield* walk(root, relativePath);
    else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(file))))
      yield { path: file, relativePath };
  }
}

async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (info) => info.isFile(),
    () => false,
  );
}
