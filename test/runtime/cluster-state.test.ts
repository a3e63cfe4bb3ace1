import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openClusterState, type ClusterState, type Member } from '../../src/runtime/cluster-state.js';
import { createLog } from '../../src/runtime/log.js';
import { connectNats, type NatsConnection } from '../../src/runtime/nats.js';
import {
  applyStreamLimits,
  ensureStreams,
  STREAM,
  STREAM_LIMITS_DEFAULT,
} from '../../src/runtime/streams.js';
import { startNatsServer, type NatsServer } from '../helpers/nats-server.js';
import { waitUntil } from '../helpers/wait-until.js';

const log = createLog('test', 'test', 'silent');

describe('the state that a cluster shares through NATS', () => {
  let nats: NatsServer;
  const connections: NatsConnection[] = [];

  before(async () => {
    nats = await startNatsServer();
  });

  after(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await nats.stop();
  });

  async function open(): Promise<ClusterState> {
    const connection = await connectNats({ servers: `127.0.0.1:${nats.port}`, name: 'test', log });
    connections.push(connection);
    return openClusterState(connection, log);
  }

  it('gives every process the record of the one that came first', async () => {
    const states = await Promise.all([open(), open(), open()]);
    const results = await Promise.all(
      states.map((state, i) => state.createOrRead('collection', { partitionCount: 2 ** i })),
    );
    assert.equal(new Set(results.map(({ partitionCount }) => partitionCount)).size, 1);
    assert.deepEqual(await states[0]?.read('collection'), results[0]);
  });

  it('wakes those that wait for a record', async () => {
    const [waiter, maker] = [await open(), await open()];
    await assert.rejects(waiter.waitFor('model', 100), /no model yet/);
    const waited = waiter.waitFor('model', 10_000);
    const model = { modelVersion: 'ab', codeBits: 48, fineCodeBits: 0 };
    await maker.createOrRead('model', model);
    assert.deepEqual(await waited, model);
  });

  it('lists members while they beat, and forgets one that leaves', async () => {
    const [watcher, joiner] = [await open(), await open()];
    await watcher.followMembers();
    const member: Member = {
      id: 's1',
      role: 'shard',
      address: '127.0.0.1:1',
      softwareVersion: '0',
      startedAtMs: 1,
      positions: { '3': 9 },
    };
    await joiner.announce(() => member);
    await waitUntil('members', () => watcher.members().length === 1);
    const { heartbeatAgeMs, ...seen } = watcher.members()[0] ?? assert.fail('no member');
    assert.deepEqual(seen, member);
    assert.ok(heartbeatAgeMs >= 0);
    await joiner.leave();
    await waitUntil('members', () => watcher.members().length === 0);
  });

  it('has its streams made once, by any number of processes at once', async () => {
    const three = await Promise.all(
      [1, 2, 3].map(() => connectNats({ servers: `127.0.0.1:${nats.port}`, name: 't', log })),
    );
    connections.push(...three);
    await Promise.all(three.map((connection) => ensureStreams(connection)));
    const manager = await (three[0] as NatsConnection).jetstreamManager();
    const names = [];
    for await (const info of manager.streams.list()) names.push(info.config.name);
    for (const name of Object.values(STREAM)) assert.ok(names.includes(name), name);
  });

  it('takes the stream limits of a coordinator, whoever made the streams', async () => {
    const connection = await connectNats({ servers: nats.address, name: 'limits', log });
    connections.push(connection);
    await ensureStreams(connection);
    const limits = { ...STREAM_LIMITS_DEFAULT, imagesBytesMax: 5_000_000, codesBytesMax: 6_000_000 };
    await applyStreamLimits(connection, limits);
    const manager = await connection.jetstreamManager();
    const bytesMaxOf = async (name: string) => (await manager.streams.info(name)).config.max_bytes;
    assert.equal(await bytesMaxOf(STREAM.images), 5_000_000);
    assert.equal(await bytesMaxOf(STREAM.codes), 6_000_000);
    assert.equal(await bytesMaxOf(STREAM.deadLetters), STREAM_LIMITS_DEFAULT.deadLettersBytesMax);
  });
});
