import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findNatsServer } from '../../src/runtime/nats-server-path.js';
import { packageRoot } from '../../src/runtime/package-root.js';
import { INLINE_BYTES_MAX } from '../../src/runtime/streams.js';
import { resolveRoleCommand } from './role-command.js';

const path = join(packageRoot(), 'deploy/nats.conf');
const text = readFileSync(path, 'utf8');
const UNITS = { MB: 1024 ** 2, GB: 1024 ** 3 } as const;

function sizeOf(key: string): number {
  const [, number, unit] = new RegExp(`^\\s*${key}: (\\d+)(MB|GB)$`, 'm').exec(text) ?? [];
  assert.ok(number !== undefined && unit !== undefined, key);
  return Number(number) * UNITS[unit as keyof typeof UNITS];
}

function check(config: string): { readonly ok: boolean; readonly output: string } {
  const { status, stderr } = spawnSync(findNatsServer(process.env), ['-t', '-c', config], {
    encoding: 'utf8',
  });
  return { ok: status === 0, output: stderr };
}

describe('deploy/nats.conf', () => {
  it('is accepted by nats-server', () => {
    const { ok, output } = check(path);
    assert.ok(ok, output);
  });

  it('would not be accepted with a fault in it', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kinscan-natsconf-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'nats.conf'), text.replace('port: 4222', 'port: nowhere'));
    assert.equal(check(join(folder, 'nats.conf')).ok, false);
  });

  it('has every acknowledged message on disk', () => {
    assert.match(text, /^ {2}sync_interval: always$/m);
    assert.match(text, /^ {2}store_dir: \/data$/m);
  });

  it('takes messages well above the inline limit', () => {
    assert.ok(sizeOf('max_payload') >= 4 * INLINE_BYTES_MAX);
  });

  it('has room for all that the streams and the object store reserve', () => {
    const { config } = resolveRoleCommand(['coordinator']);
    const limits = ['imagesStreamBytesMax', 'codesStreamBytesMax', 'deadLettersBytesMax'].map((key) =>
      Number(config[key]),
    );
    // the object store of large images has the limit of the IMAGES stream
    const reserved = limits.reduce((sum, bytes) => sum + bytes, 0) + Number(config['imagesStreamBytesMax']);
    assert.ok(reserved > 0 && sizeOf('max_file_store') >= reserved, String(reserved));
  });
});
