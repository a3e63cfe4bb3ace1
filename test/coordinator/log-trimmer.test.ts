import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { LogTrimmer } from '../../src/coordinator/log-trimmer.js';
import type { SeenMember } from '../../src/runtime/cluster-state.js';
import { createLog } from '../../src/runtime/log.js';
import { connectNats, type JetStreamManager, type NatsConnection } from '../../src/runtime/nats.js';
import { ensureStreams, STREAM, SUBJECT } from '../../src/runtime/streams.js';
import { startNatsServer, type NatsServer } from '../helpers/nats-server.js';

const ROUNDS = 20;

let nats: NatsServer;
let connection: NatsConnection;
let manager: JetStreamManager;
const log = createLog('test', 'test', 'silent');

before(async () => {
  nats = await startNatsServer();
  connection = await connectNats({ servers: nats.address, name: 'test', log });
  manager = await connection.jetstreamManager();
  await ensureStreams(connection);
});
after(async () => {
  await connection.close();
  await nats.stop();
});
// each round: an entry for partition 0, one for partition 1, one for all: sequences 3n+1, 3n+2, 3n+3
beforeEach(async () => {
  await manager.streams.delete(STREAM.codes);
  await ensureStreams(connection);
  for (let round = 0; round < ROUNDS; round++)
    for (const subject of [SUBJECT.codes(0), SUBJECT.codes(1), SUBJECT.codesAll])
      await connection.jetstream().publish(subject, 'entry');
});

function trimmer(members: Record<string, Record<string, number>>, codesKeepPerPartition: number): LogTrimmer {
  const list = Object.entries(members).map(([id, positions]): SeenMember => ({
    ...{ id, role: 'shard', address: '', softwareVersion: '', startedAtMs: 0, heartbeatAgeMs: 0, positions },
  }));
  const placement = { epoch: 1, replicas: [['a'], ['b', 'c']] };
  const cluster = {
    ...{ hasPlacement: true, partitionCount: 2 },
    placement: () => placement,
    members: () => list,
  };
  return new LogTrimmer({ cluster, streams: manager.streams, codesKeepPerPartition, log });
}

/** Lowest sequence that is left on a subject. */
async function firstOn(subject: string): Promise<number> {
  for (let seq = 1; seq <= 3 * ROUNDS; seq++) {
    const message = await manager.streams.getMessage(STREAM.codes, { seq }).catch(() => undefined);
    if (message?.subject === subject) return seq;
  }
  return Infinity;
}

describe('the trimmer of the CODES log', () => {
  it('removes what every replica holds, and never what one of them lacks', async () => {
    const removed = await trimmer({ a: { 0: 31 }, b: { 1: 50 }, c: { 1: 20 } }, 0).trim();
    // entries of the slowest position itself stay, too: the cut is before it
    assert.equal(await firstOn(SUBJECT.codes(0)), 31);
    assert.equal(await firstOn(SUBJECT.codes(1)), 20);
    assert.equal(await firstOn(SUBJECT.codesAll), 21);
    assert.equal(removed, 10 + 6 + 6);
    assert.equal(await trimmer({ a: { 0: 31 }, b: { 1: 50 }, c: { 1: 20 } }, 0).trim(), 0);
  });

  it('keeps a margin', async () => {
    await trimmer({ a: { 0: 60 }, b: { 1: 60 }, c: { 1: 60 } }, 10).trim();
    assert.equal(await firstOn(SUBJECT.codes(0)), 40);
    assert.equal(await firstOn(SUBJECT.codes(1)), 41);
    assert.equal(await firstOn(SUBJECT.codesAll), 42);
  });

  it('does nothing while a replica is away', async () => {
    assert.equal(await trimmer({ a: { 0: 60 }, b: { 1: 60 } }, 0).trim(), 0);
    assert.equal(await firstOn(SUBJECT.codes(0)), 1);
  });
});
