import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { COORDINATOR_CONFIG } from '../../src/coordinator/config.js';
import { ENCODER_CONFIG } from '../../src/encoder/config.js';
import { flagOf } from '../../src/runtime/config.js';
import { packageRoot } from '../../src/runtime/package-root.js';
import { SHARD_CONFIG } from '../../src/shard/config.js';
import { resolveRoleCommand } from './role-command.js';

const text = readFileSync(join(packageRoot(), 'docs/deployment.md'), 'utf8');

describe('docs/deployment.md', () => {
  it('shows commands that the roles accept', () => {
    const commands = [...text.matchAll(/^kinscan ((?:coordinator|encoder|shard) .+)$/gm)].map(
      ([, command = '']) => command,
    );
    const roles = commands.map((command) => resolveRoleCommand(command.split(/\s+/)).role);
    assert.deepEqual(new Set(roles), new Set(['coordinator', 'encoder', 'shard']));
  });

  it('names flags that some role has', () => {
    const tables = { ...COORDINATOR_CONFIG, ...ENCODER_CONFIG, ...SHARD_CONFIG };
    // those of other commands: docker compose, kinscan status, kinscan search, every command
    const others = ['--profile', '--build', '--address', '--require-complete', '--help', '--config'];
    const known = new Set([...Object.keys(tables).map(flagOf), ...others]);
    const named = [...text.matchAll(/(?<=[`\s])--[a-z][a-z-]+/g)].map(([flag]) => flag);
    assert.ok(named.includes('--advertise'));
    assert.deepEqual(
      named.filter((flag) => !known.has(flag)),
      [],
    );
  });

  it('gives the ports that the roles listen on unless told otherwise', () => {
    for (const [role, { port }] of Object.entries({
      coordinator: COORDINATOR_CONFIG,
      encoder: ENCODER_CONFIG,
      shard: SHARD_CONFIG,
    })) {
      assert.match(text, new RegExp(`^\\| ${role}[^\\n]*gRPC ${port.default}\\b`, 'm'));
    }
  });
});
