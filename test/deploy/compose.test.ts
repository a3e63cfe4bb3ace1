import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { packageRoot } from '../../src/runtime/package-root.js';
import { parseDockerfile } from './dockerfile.js';
import { resolveRoleCommand } from './role-command.js';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

const deploy = join(packageRoot(), 'deploy');
const compose = parse(readFileSync(join(deploy, 'compose.yaml'), 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const roles = services
  .filter(([, { build }]) => build !== undefined)
  .map(([name, service]) => ({ name, service, ...resolveRoleCommand(service.command, service.environment) }));
const started = roles.filter(({ service }) => service.profiles === undefined);

describe('the compose file', () => {
  it('starts NATS, one coordinator, two encoders and three shard servers', () => {
    const count = (wanted: string) => started.filter(({ role }) => role === wanted).length;
    assert.deepEqual([count('coordinator'), count('encoder'), count('shard')], [1, 2, 3]);
    assert.match(compose.services['nats']?.image ?? '', /^nats:2\.(1\d|[2-9]\d)\b/);
  });

  it('builds every role from a target of the Dockerfile that runs that role', () => {
    const stages = parseDockerfile(readFileSync(join(deploy, 'Dockerfile'), 'utf8')).map(({ name }) => name);
    for (const { name, role, service } of roles) {
      assert.ok(stages.includes(service.build?.target ?? ''), name);
      assert.ok(service.build?.target.startsWith(role), name);
      assert.ok(
        existsSync(join(deploy, service.build?.context ?? '', service.build?.dockerfile ?? '')),
        name,
      );
    }
  });

  it('gives every process a name of its own and an address at which the others find it', () => {
    for (const { name, config } of roles) {
      assert.equal(config['advertise'], `${name}:${String(config['port'])}`);
      assert.equal(config['nats'], 'nats:4222');
      assert.equal(config['host'], '0.0.0.0');
    }
    const ids = roles.map(({ config }) => config['id']);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(!ids.includes(''));
  });

  it('tells the coordinator how many shard servers there are', () => {
    const coordinator = roles.find(({ role }) => role === 'coordinator');
    assert.equal(coordinator?.config['shards'], started.filter(({ role }) => role === 'shard').length);
  });

  it('waits for NATS to be healthy before it starts a role', () => {
    for (const { name, service } of roles) {
      assert.equal(service.depends_on?.['nats']?.condition, 'service_healthy', name);
    }
    assert.ok((compose.services['nats']?.healthcheck?.test.length ?? 0) > 1);
  });

  it('keeps the data of NATS and of each shard server on a volume of its own', () => {
    const volumesAt = (service: Service | undefined, path: string) =>
      (service?.volumes ?? [])
        .filter((volume) => volume.split(':')[1] === path)
        .map((volume) => volume.split(':')[0]);
    const data = [
      ...volumesAt(compose.services['nats'], '/data'),
      ...roles
        .filter(({ role }) => role === 'shard')
        .flatMap(({ service, config }) => volumesAt(service, String(config['dataDir']))),
    ];
    assert.equal(new Set(data).size, 4);
    for (const volume of data) assert.ok(volume !== undefined && volume in compose.volumes, volume);
  });

  it('publishes nothing beyond this machine while there is no TLS', () => {
    const ports = services.flatMap(([, { ports = [] }]) => ports);
    assert.ok(ports.length > 0);
    assert.deepEqual(
      ports.filter((port) => !port.startsWith('127.0.0.1:')),
      [],
    );
  });
});
