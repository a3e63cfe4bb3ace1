import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { REPOSITORY } from '../../scripts/setup/files.mjs';

describe('the kinscan command of the checkout', () => {
  it('runs from node_modules/.bin, from any folder', () => {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));
    const bin = join(REPOSITORY, 'node_modules/.bin/kinscan');
    const { stdout, status } = spawnSync(bin, ['--version'], { cwd: '/', encoding: 'utf8' });
    assert.equal(status, 0);
    assert.equal(stdout.trim(), version);
  });
});
