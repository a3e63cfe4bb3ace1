import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.js';

export type ImageSetName = 'mednist' | 'brain_mri4' | 'siim_ct' | 'dicom_mix';

/** Where the real images are: $KINSCAN_DATA, else ../shared/data beside the repository. */
export function imageDataFolder(): string {
  return process.env['KINSCAN_DATA'] ?? path.join(packageRoot(), '..', 'shared', 'data');
}

/**
 * The folder of an unpacked image set, or undefined where the data is absent (then the test skips and says so). A
 * `<name>.tar.xz` is unpacked once into the temporary folder, under a name made from its path, size and time.
 */
export function imageSet(name: ImageSetName): string | undefined {
  const folder = path.join(imageDataFolder(), name);
  if (existsSync(folder)) return folder;
  const archive = path.join(imageDataFolder(), `${name}.tar.xz`);
  if (!existsSync(archive)) return undefined;
  const { size, mtimeMs } = statSync(archive);
  const key = createHash('sha256')
    .update(`${path.resolve(archive)} ${size} ${mtimeMs}`)
    .digest('hex')
    .slice(0, 16);
  const cache = path.join(os.tmpdir(), `kinscan-test-data-${key}`);
  if (!existsSync(cache)) unpack(archive, cache);
  return path.join(cache, name);
}

/** Unpacks beside the target and renames, so that test processes that run at once never see half of a set. */
function unpack(archive: string, target: string): void {
  const temporary = mkdtempSync(`${target}-`);
  try {
    execFileSync('tar', ['-xJf', archive, '-C', temporary]);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    // another process was faster: its folder is as good
    if (!existsSync(target)) throw error;
  }
}
