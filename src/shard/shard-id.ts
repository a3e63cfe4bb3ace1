import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const FILE = 'shard-id';

/**
 * The name of the shard server whose data folder this is: made once and kept beside the data, since placements name
 * shard servers and the data must be found again after a restart.
 * @param makeId called where the folder has none yet
 */
export async function readOrCreateShardId(dataDir: string, makeId: () => string): Promise<string> {
  const file = path.join(dataDir, FILE);
  await mkdir(dataDir, { recursive: true });
  try {
    await writeFile(file, `${makeId()}\n`, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return (await readFile(file, 'utf8')).trim();
}
