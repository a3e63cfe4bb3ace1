import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { findNatsServer } from '../../src/runtime/nats-server-path.js';

function workFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'kinscan-natspath-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function program(path: string, version: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho "nats-server: v${version}"\n`);
  chmodSync(path, 0o755);
  return path;
}

function isNotFound(error: unknown): boolean {
  return error instanceof KinscanError && error.code === 'NATS_SERVER_NOT_FOUND';
}

describe('findNatsServer', () => {
  it('prefers NATS_SERVER to PATH, and PATH to what set-up recorded', (t) => {
    const folder = workFolder(t);
    const named = program(join(folder, 'named'), '2.10.1');
    const onPath = program(join(folder, 'bin', 'nats-server'), '2.12.0');
    const cached = program(join(folder, 'cached'), '2.10.27');
    const record = join(folder, 'nats-server.json');
    writeFileSync(record, JSON.stringify({ path: cached, version: '2.10.27' }));
    assert.equal(findNatsServer({ NATS_SERVER: named, PATH: dirname(onPath) }, record), named);
    assert.equal(findNatsServer({ PATH: dirname(onPath) }, record), onPath);
    assert.equal(findNatsServer({ PATH: join(folder, 'nowhere') }, record), cached);
  });

  it('passes over an old one on PATH', (t) => {
    const folder = workFolder(t);
    const old = program(join(folder, 'bin', 'nats-server'), '2.9.25');
    assert.throws(() => findNatsServer({ PATH: dirname(old) }, join(folder, 'none.json')), isNotFound);
  });

  it('refuses a NATS_SERVER that does not run, and a damaged record', (t) => {
    const folder = workFolder(t);
    const record = join(folder, 'nats-server.json');
    writeFileSync(record, '{"path":');
    assert.throws(
      () => findNatsServer({ NATS_SERVER: join(folder, 'missing'), PATH: '' }, record),
      isNotFound,
    );
    assert.throws(() => findNatsServer({ PATH: '' }, record), isNotFound);
  });
});
