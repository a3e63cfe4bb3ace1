// `./node_modules/.bin/kinscan` and `npx kinscan` in the checkout: npm links the commands of dependencies
// only, so set-up links our own.
import { chmodSync, lstatSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './files.mjs';

const LINK = join(REPOSITORY, 'node_modules', '.bin', 'kinscan');
const TARGET = '../../dist/src/cli/main.js';
const MAIN = join(REPOSITORY, 'dist', 'src', 'cli', 'main.js');

export function ownBinIsLinked() {
  try {
    return readlinkSync(LINK) === TARGET && (statSync(MAIN).mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

export function linkOwnBin() {
  if (ownBinIsLinked()) return;
  if (lstatSync(LINK, { throwIfNoEntry: false }) !== undefined) rmSync(LINK);
  symlinkSync(TARGET, LINK);
  if (statSync(MAIN, { throwIfNoEntry: false }) !== undefined) chmodSync(MAIN, 0o755);
}
