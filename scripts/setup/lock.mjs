// One set-up at a time in a checkout: making a folder is atomic, and the folder names its owner so that a
// lock left by a killed process is taken over.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { SetupError, say } from './progress.mjs';

const POLL_MS = 200;
const WAIT_TIMEOUT_MS = 20 * 60_000;
/** A lock without an owner file is one whose maker died between mkdir and write, once this time has passed. */
const OWNERLESS_GRACE_MS = 5000;

function ownerOf(lockFolder) {
  try {
    return JSON.parse(readFileSync(join(lockFolder, 'owner.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function isStale(lockFolder) {
  const owner = ownerOf(lockFolder);
  if (owner !== undefined) return owner.host === hostname() && !isAlive(owner.pid);
  try {
    return Date.now() - statSync(lockFolder).mtimeMs > OWNERLESS_GRACE_MS;
  } catch {
    return false; // released in the meantime
  }
}

function tryAcquire(lockFolder) {
  try {
    mkdirSync(lockFolder);
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw new SetupError(`cannot write to ${dirname(lockFolder)}: ${error.message}`);
  }
  writeFileSync(join(lockFolder, 'owner.json'), JSON.stringify({ pid: process.pid, host: hostname() }));
  return true;
}

/**
 * Runs `work` while holding the lock; waits for another holder, takes over from a dead one.
 * @template T
 * @param {string} lockFolder
 * @param {() => Promise<T>} work
 * @param {number} [waitTimeoutMs]
 * @returns {Promise<T>}
 */
export async function withLock(lockFolder, work, waitTimeoutMs = WAIT_TIMEOUT_MS) {
  mkdirSync(dirname(lockFolder), { recursive: true });
  const startMs = Date.now();
  let told = false;
  while (!tryAcquire(lockFolder)) {
    if (isStale(lockFolder)) {
      rmSync(lockFolder, { recursive: true, force: true });
      continue;
    }
    if (Date.now() - startMs > waitTimeoutMs) {
      throw new SetupError(`another set-up holds ${lockFolder}; remove that folder if none is running`);
    }
    if (!told) say(`waiting for another set-up (process ${ownerOf(lockFolder)?.pid ?? 'unknown'})`);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  try {
    return await work();
  } finally {
    rmSync(lockFolder, { recursive: true, force: true });
  }
}
