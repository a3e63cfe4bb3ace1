import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { QueueSweeper } from '../../src/coordinator/queue-sweeper.js';
import { createLog } from '../../src/runtime/log.js';
import {
  AckPolicy,
  connectNats,
  RetentionPolicy,
  type JetStreamManager,
  type NatsConnection,
} from '../../src/runtime/nats.js';
import { ENCODER_CONSUMER, STREAM, SUBJECT } from '../../src/runtime/streams.js';
import { startNatsServer, type NatsServer } from '../helpers/nats-server.js';

const log = createLog('test', 'test', 'silent');

describe('the sweeper of the IMAGES queue', () => {
  let nats: NatsServer;
  let connection: NatsConnection;
  let manager: JetStreamManager;

  // a stream that keeps what is acknowledged looks as a work queue does after the crash
  before(async () => {
    nats = await startNatsServer();
    connection = await connectNats({ servers: nats.address, name: 'test', log });
    manager = await connection.jetstreamManager();
    await manager.streams.add({
      name: STREAM.images,
      subjects: [SUBJECT.images],
      retention: RetentionPolicy.Limits,
    });
    for (let i = 0; i < 10; i++) await connection.jetstream().publish(SUBJECT.images, `entry ${i + 1}`);
    await manager.consumers.add(STREAM.images, {
      durable_name: ENCODER_CONSUMER,
      ack_policy: AckPolicy.Explicit,
    });
    const consumer = await connection.jetstream().consumers.get(STREAM.images, ENCODER_CONSUMER);
    for await (const message of await consumer.fetch({ max_messages: 5 })) await message.ackAck();
  });

  after(async () => {
    await connection.close();
    await nats.stop();
  });

  it('removes what is at or below the acknowledgement floor, and nothing that is still to be done', async () => {
    const sweeper = new QueueSweeper({ manager, log });
    assert.equal(await sweeper.sweep(), 5);
    const { state } = await manager.streams.info(STREAM.images);
    assert.equal(state.first_seq, 6);
    assert.equal(state.messages, 5);
    assert.equal(await sweeper.sweep(), 0);
  });
});
