import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { KinscanError } from '../src/core/errors.js';

/** What an archive was made from: whoever uses it again must want the same. */
export type ArchiveSettings = Readonly<Record<string, string | number>>;

const SETTINGS_FILE = 'archive.json';

/**
 * Whether a folder holds a finished archive made from these settings; false where there is no such folder.
 * @throws KinscanError INVALID_ARGUMENT where it is another's, or was never finished
 */
export function isArchiveKept(folder: string, settings: ArchiveSettings): boolean {
  if (!existsSync(folder)) return false;
  const file = path.join(folder, SETTINGS_FILE);
  if (!existsSync(file)) {
    throw new KinscanError('INVALID_ARGUMENT', `${folder} is no archive that was finished: delete it`);
  }
  if (readFileSync(file, 'utf8') !== textOf(settings)) {
    throw new KinscanError('INVALID_ARGUMENT', `${folder} was made with other options: delete it`);
  }
  return true;
}

/** Says that an archive is whole. */
export function markKept(folder: string, settings: ArchiveSettings): void {
  writeFileSync(path.join(folder, SETTINGS_FILE), textOf(settings));
}

function textOf(settings: ArchiveSettings): string {
  return `${JSON.stringify(settings, null, 2)}\n`;
}
