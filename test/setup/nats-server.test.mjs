import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { REPOSITORY } from '../../scripts/setup/files.mjs';
import { cacheFolders, isRecentEnough, lookUp } from '../../scripts/setup/nats-server.mjs';
import { SetupError } from '../../scripts/setup/progress.mjs';

function workFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'kinscan-natsbin-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A program that answers --version as nats-server does. */
function program(path, version) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho "nats-server: v${version}"\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('the search for nats-server', () => {
  it('takes 2.10 and newer', () => {
    assert.equal(isRecentEnough('2.10.0'), true);
    assert.equal(isRecentEnough('2.11.3'), true);
    assert.equal(isRecentEnough('3.0.0'), true);
    assert.equal(isRecentEnough('2.9.25'), false);
    assert.equal(isRecentEnough(undefined), false);
  });

  it('prefers NATS_SERVER to PATH, and PATH to the cache', (t) => {
    const folder = workFolder(t);
    const named = program(join(folder, 'named'), '2.10.1');
    const onPath = program(join(folder, 'bin', 'nats-server'), '2.10.2');
    const cached = program(join(folder, 'xdg', 'kinscan', 'nats-server'), '2.10.3');
    const cache = { XDG_CACHE_HOME: join(folder, 'xdg') };
    const path = `relative:${join(folder, 'empty')}:${dirname(onPath)}`;
    assert.equal(lookUp({ ...cache, PATH: path, NATS_SERVER: named }).path, named);
    assert.equal(lookUp({ ...cache, PATH: path }).path, onPath);
    assert.deepEqual(lookUp({ ...cache, PATH: '' }), { path: cached, version: '2.10.3' });
  });

  it('passes over one on PATH that is too old', (t) => {
    const folder = workFolder(t);
    const old = program(join(folder, 'old', 'nats-server'), '2.9.25');
    const recent = program(join(folder, 'recent', 'nats-server'), '2.10.27');
    assert.equal(lookUp({ PATH: `${dirname(old)}:${dirname(recent)}` }).path, recent);
  });

  it('refuses a NATS_SERVER that is too old or does not run, rather than taking another', (t) => {
    const folder = workFolder(t);
    const old = program(join(folder, 'old'), '2.9.25');
    for (const named of [old, join(folder, 'missing')]) {
      assert.throws(
        () => lookUp({ NATS_SERVER: named, PATH: '' }),
        (error) => error instanceof SetupError && error.message.includes(named),
      );
    }
  });

  it('keeps what it fetches in the cache of the user, else in the checkout', () => {
    const own = join(REPOSITORY, '.cache');
    assert.deepEqual(cacheFolders({ XDG_CACHE_HOME: '/x', HOME: '/h' }), ['/x/kinscan', own]);
    assert.deepEqual(cacheFolders({ HOME: '/h' }), ['/h/.cache/kinscan', own]);
    assert.deepEqual(cacheFolders({ XDG_CACHE_HOME: 'relative', HOME: '/h' }), ['/h/.cache/kinscan', own]);
  });
});
