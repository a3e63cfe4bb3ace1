import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { KinscanError } from '../../core/errors.js';

const KEY_FILE = 'patient-hash.key';
const KEY_BYTES = 32;

/**
 * The secret key for patient hashes of a data folder: made of random bytes the first time, and kept there, readable by
 * its owner alone. Without it later hashes of a patient would differ from earlier ones.
 * @throws KinscanError INVALID_ARGUMENT where the file cannot be read or written, or holds no key
 */
export function patientHashKeyOf(dataDir: string): string {
  const file = path.join(dataDir, KEY_FILE);
  try {
    const key = readOrMake(file);
    if (key.length >= KEY_BYTES) return key;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new KinscanError('INVALID_ARGUMENT', `cannot use the key file ${file}: ${code}`, { cause });
  }
  throw new KinscanError('INVALID_ARGUMENT', `the key file ${file} is damaged`);
}

function readOrMake(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const key = randomBytes(KEY_BYTES).toString('hex');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${key}\n`, { flag: 'wx', mode: 0o600, flush: true });
  return key;
}
