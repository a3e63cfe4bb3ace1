import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { withLock } from '../../scripts/setup/lock.mjs';
import { SetupError } from '../../scripts/setup/progress.mjs';

function lockPath(t) {
  const folder = mkdtempSync(join(tmpdir(), 'kinscan-lock-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'cache', 'setup.lock');
}

function heldBy(lock, pid) {
  mkdirSync(lock, { recursive: true });
  writeFileSync(join(lock, 'owner.json'), JSON.stringify({ pid, host: hostname() }));
}

describe('the set-up lock', () => {
  it('lets one set-up work at a time', async (t) => {
    const lock = lockPath(t);
    let inside = 0;
    let most = 0;
    const work = () =>
      withLock(lock, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setTimeout(resolve, 20));
        inside -= 1;
      });
    await Promise.all([work(), work(), work()]);
    assert.equal(most, 1);
    assert.equal(existsSync(lock), false);
  });

  it('is freed when the work fails', async (t) => {
    const lock = lockPath(t);
    await assert.rejects(
      withLock(lock, () => Promise.reject(new Error('no disk'))),
      /no disk/,
    );
    assert.equal(existsSync(lock), false);
  });

  it('is taken over from a process that has died', async (t) => {
    const lock = lockPath(t);
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    heldBy(lock, dead);
    assert.equal(await withLock(lock, async () => 'worked'), 'worked');
  });

  it('is taken over when its maker died before naming itself', async (t) => {
    const lock = lockPath(t);
    mkdirSync(lock, { recursive: true });
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(lock, longAgo, longAgo);
    assert.equal(await withLock(lock, async () => 'worked'), 'worked');
  });

  it('is left alone while its holder lives, and the wait ends with one clear line', async (t) => {
    const lock = lockPath(t);
    heldBy(lock, process.pid);
    await assert.rejects(
      withLock(lock, async () => 'never', 50),
      (error) => error instanceof SetupError && error.message.includes(lock),
    );
    assert.equal(existsSync(lock), true);
  });
});
