import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import { helpOf, redactConfig, resolveConfig } from '../../src/runtime/config.js';

const TABLE = {
  port: { kind: 'integer', default: 7700, min: 0, max: 65_535, description: 'port' },
  logLevel: { kind: 'choice', default: 'info', choices: ['info', 'warn'], description: 'level' },
  token: { kind: 'string', default: '', description: 'secret', secret: true },
  fast: { kind: 'boolean', default: false, description: 'fast' },
} as const;

const folder = mkdtempSync(path.join(tmpdir(), 'kinscan-config-'));
after(() => rmSync(folder, { recursive: true }));

function fileOf(content: object): string {
  const file = path.join(folder, `${Object.keys(content).join('-')}.json`);
  writeFileSync(file, JSON.stringify(content));
  return file;
}

describe('a role configuration', () => {
  it('takes defaults where nothing is given', () => {
    assert.deepEqual(resolveConfig(TABLE, { argv: [], env: {} }), {
      port: 7700,
      logLevel: 'info',
      token: '',
      fast: false,
    });
  });

  it('prefers flags to the environment and the environment to the file', () => {
    const file = fileOf({ port: 1, logLevel: 'warn', token: 'from-file' });
    const config = resolveConfig(TABLE, {
      argv: ['--config', file, '--port', '3'],
      env: { KINSCAN_PORT: '2', KINSCAN_LOG_LEVEL: 'info' },
    });
    assert.deepEqual(config, { port: 3, logLevel: 'info', token: 'from-file', fast: false });
  });

  it('reports all faults at once', () => {
    const attempt = () =>
      resolveConfig(TABLE, {
        argv: ['--port', '70000'],
        env: { KINSCAN_LOG_LEVEL: 'loud', KINSCAN_FAST: 'maybe' },
      });
    assert.throws(attempt, (error) => {
      assert.ok(error instanceof KinscanError && error.code === 'INVALID_ARGUMENT');
      for (const part of ['--port', '65535', 'KINSCAN_LOG_LEVEL', 'loud', 'KINSCAN_FAST'])
        assert.ok(error.message.includes(part), part);
      return true;
    });
  });

  it('refuses unknown flags and unknown keys of the file', () => {
    assert.throws(() => resolveConfig(TABLE, { argv: ['--prot', '1'], env: {} }), /prot/);
    assert.throws(
      () => resolveConfig(TABLE, { argv: ['--config', fileOf({ prot: 1 })], env: {} }),
      /unknown key prot/,
    );
  });

  it('refuses an empty or fractional number', () => {
    assert.throws(() => resolveConfig(TABLE, { argv: [], env: { KINSCAN_PORT: ' ' } }), /KINSCAN_PORT/);
    assert.throws(() => resolveConfig(TABLE, { argv: ['--port', '1.5'], env: {} }), /whole number/);
  });

  it('is frozen', () => {
    assert.ok(Object.isFrozen(resolveConfig(TABLE, { argv: [], env: {} })));
  });

  it('hides secrets when it is logged', () => {
    const config = resolveConfig(TABLE, { argv: ['--token', 'hunter2'], env: {} });
    assert.equal(redactConfig(TABLE, config)['token'], '(hidden)');
    assert.equal(redactConfig(TABLE, config)['port'], 7700);
  });

  it('describes each option with its flag, range and environment variable', () => {
    const help = helpOf('shard', 'Runs a shard server.', TABLE);
    assert.match(help, /--log-level .*one of info, warn.*\[KINSCAN_LOG_LEVEL\]/);
    assert.match(help, /--port .*0 to 65535/);
  });
});
