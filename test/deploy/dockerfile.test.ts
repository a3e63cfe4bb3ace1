import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packageRoot } from '../../src/runtime/package-root.js';
import { execForm, inheritedInstructions, parseDockerfile } from './dockerfile.js';
import { resolveRoleCommand } from './role-command.js';

const root = packageRoot();
const stages = parseDockerfile(readFileSync(join(root, 'deploy/Dockerfile'), 'utf8'));
const TARGETS = {
  coordinator: 'coordinator',
  encoder: 'encoder',
  'encoder-gpu': 'encoder',
  shard: 'shard',
} as const;

const argumentsOf = (target: string, name: string) =>
  inheritedInstructions(stages, target)
    .filter((instruction) => instruction.name === name)
    .map(({ argument }) => argument);

describe('the Dockerfile', () => {
  it('has a target for every role', () => {
    const names = stages.map(({ name }) => name);
    for (const target of Object.keys(TARGETS)) assert.ok(names.includes(target), target);
  });

  it('builds on its own earlier stages or on images of a named version', () => {
    stages.forEach(({ base }, index) => {
      const earlier = stages.slice(0, index).map(({ name }) => name);
      assert.ok(earlier.includes(base) || (/:[\w.-]+$/.test(base) && !base.endsWith(':latest')), base);
    });
  });

  it('copies only what is in the repository or comes from an earlier stage', () => {
    const ignored = readFileSync(join(root, 'deploy/Dockerfile.dockerignore'), 'utf8').split('\n');
    for (const [index, { name, instructions }] of stages.entries()) {
      const earlier = stages.slice(0, index).map((stage) => stage.name);
      for (const { argument } of instructions.filter((instruction) => instruction.name === 'COPY')) {
        const words = argument.split(/\s+/);
        const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
        const sources = words.filter((word) => !word.startsWith('--')).slice(0, -1);
        assert.ok(sources.length > 0, `${name}: COPY ${argument}`);
        if (from !== undefined) assert.ok(earlier.includes(from), `${name} copies from ${from}`);
        else {
          for (const source of sources) {
            assert.ok(existsSync(join(root, source)), `${name} copies ${source}`);
            assert.ok(ignored.includes(`!${source.replace(/\/$/, '')}`), `${source} is in the build context`);
          }
        }
      }
    }
  });

  for (const [target, role] of Object.entries(TARGETS)) {
    describe(`target ${target}`, () => {
      it('runs its role with flags that the role knows, as the process that gets the signals', () => {
        const [entrypoint = ''] = argumentsOf(target, 'ENTRYPOINT').slice(-1);
        const [command = ''] = argumentsOf(target, 'CMD').slice(-1);
        assert.deepEqual(execForm(entrypoint).slice(-2), ['node', 'dist/src/cli/main.js']);
        const resolved = resolveRoleCommand(execForm(command));
        assert.equal(resolved.role, role);
        assert.equal(resolved.config['host'], '0.0.0.0');
        assert.equal(argumentsOf(target, 'STOPSIGNAL').at(-1), 'SIGTERM');
      });

      it('runs as a user that is not root', () => {
        const user = argumentsOf(target, 'USER').at(-1);
        assert.ok(user !== undefined && !/^(root|0)\b/.test(user), String(user));
      });

      it('checks its health on a port that it exposes and listens on', () => {
        const [check = ''] = argumentsOf(target, 'HEALTHCHECK').slice(-1);
        const address = execForm(check).at(-1) ?? '';
        const port = address.replace('127.0.0.1:', '');
        const [command = ''] = argumentsOf(target, 'CMD').slice(-1);
        assert.equal(String(resolveRoleCommand(execForm(command)).config['port']), port);
        assert.ok((argumentsOf(target, 'EXPOSE').at(-1) ?? '').split(' ').includes(port));
        assert.ok(existsSync(join(root, execForm(check)[1] ?? '')), check);
      });
    });
  }
});

describe('the Dockerfile parser', () => {
  it('joins continued lines, drops comments and refuses what is no instruction', () => {
    const [stage] = parseDockerfile('# x\nFROM a:1 AS b\nRUN one \\\n # note\n two\n');
    assert.deepEqual(stage?.instructions, [{ name: 'RUN', argument: 'one   two' }]);
    assert.throws(() => parseDockerfile('FROM a:1\nrun it\n'), /not an instruction/);
    assert.throws(() => execForm('node main.js'), Error);
  });
});
