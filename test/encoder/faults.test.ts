import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ENCODER_CONSUMER, STREAM } from '../../src/runtime/streams.js';
import { waitUntil } from '../helpers/wait-until.js';
import { startHarness, writeRandomModel, type EncoderHarness, type StoredEntry } from './encoder-harness.js';
import { startEncoderProcess } from './encoder-process.js';
import { phantomPng } from './test-images.js';

const IMAGES = 300;

describe('an encoder node under faults', () => {
  let harness: EncoderHarness;

  beforeEach(async () => {
    harness = await startHarness({ ackWaitMs: 4_000 });
  });
  afterEach(() => harness.stop());

  const publishMany = async (count: number): Promise<number[]> => {
    const content = await phantomPng(1);
    return Promise.all(
      Array.from({ length: count }, (_, n) =>
        harness.publish({ ingest: { imageId: `image-${n}`, content } }),
      ),
    );
  };
  const consumerInfo = async () =>
    (await harness.connection.jetstreamManager()).consumers.info(STREAM.images, ENCODER_CONSUMER);
  const storedCount = async () =>
    (await (await harness.connection.jetstreamManager()).streams.info(STREAM.codes)).state.messages;
  const assertEachOnce = (stored: readonly StoredEntry[], revisions: readonly number[]) => {
    assert.deepEqual(
      stored.map(({ entry }) => entry.record?.revision ?? 0).sort((a, b) => a - b),
      [...revisions].sort((a, b) => a - b),
    );
  };
  const flags = () => [
    '--nats',
    harness.nats.address,
    '--port',
    '0',
    '--model',
    harness.modelFolder,
    '--engine',
    'onnx',
  ];

  it('loses nothing when it is killed in the middle, and stores nothing twice', async () => {
    const first = startEncoderProcess(flags());
    await first.ready;
    const publishing = publishMany(IMAGES);
    await waitUntil('some records', async () => (await storedCount()) > 30);
    await first.kill('SIGKILL');
    const atDeath = await storedCount();
    const revisions = await publishing;
    assert.ok(atDeath < IMAGES, `it died in the middle: ${atDeath} records`);
    const second = startEncoderProcess(flags());
    await harness.queueIsEmpty();
    assertEachOnce(await harness.codes(), revisions);
    assert.equal(await second.kill('SIGTERM'), 0, 'the second one drains and ends well');
  });

  it('goes on by itself after nats-server was killed and came back', async () => {
    await harness.start();
    const revisions = await publishMany(IMAGES);
    await waitUntil('some records', async () => (await storedCount()) > 30);
    await harness.nats.restart();
    await harness.queueIsEmpty();
    assertEachOnce(await harness.codes(), revisions);
    assert.deepEqual(await harness.deadLetters(), []);
  });

  it('finishes or gives back what it holds when it drains', async () => {
    const encoder = await harness.start(['--images-in-flight-max', '64']);
    const publishing = publishMany(IMAGES);
    await waitUntil('some records', async () => (await storedCount()) > 30);
    await encoder.drain();
    const revisions = await publishing;
    const left = await waitUntil('every image is either stored or still queued', async () => {
      const { num_pending: waiting, num_ack_pending: held } = await consumerInfo();
      return waiting + held + (await storedCount()) === IMAGES && { waiting, held };
    });
    assert.ok(left.waiting > 0, 'it stopped in the middle');
    await harness.start();
    await harness.queueIsEmpty();
    assertEachOnce(await harness.codes(), revisions);
  });

  it('waits while the log is full: no dead letter, no second delivery', async () => {
    const manager = await harness.connection.jetstreamManager();
    const { config } = await manager.streams.info(STREAM.codes);
    await manager.streams.update(STREAM.codes, { ...config, max_bytes: 20_000 });
    await harness.start();
    const revisions = await publishMany(40);
    await waitUntil('the log is full', async () => {
      const before = await storedCount();
      // longer than the time after which an image without a sign of life comes again
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      return before > 0 && before === (await storedCount());
    });
    assert.ok((await storedCount()) < 40);
    assert.equal((await consumerInfo()).num_redelivered, 0, 'signs of life keep the images here');
    await manager.streams.update(STREAM.codes, { ...config, max_bytes: -1 });
    await harness.queueIsEmpty();
    assertEachOnce(await harness.codes(), revisions);
    assert.deepEqual(await harness.deadLetters(), []);
  });

  it('encodes an image that came back several times, apart from the others', async () => {
    const content = await phantomPng(1);
    await harness.publish({ ingest: { imageId: 'suspect', content } });
    const consumer = await harness.connection.jetstream().consumers.get(STREAM.images, ENCODER_CONSUMER);
    for (let delivery = 0; delivery < 2; delivery++) (await consumer.next())?.nak();
    await harness.publish({ ingest: { imageId: 'fresh', content } });
    await harness.start();
    await harness.queueIsEmpty();
    const records = await harness.records();
    assert.deepEqual(records.get('suspect')?.code?.bits, records.get('fresh')?.code?.bits);
    assert.ok(records.get('suspect')?.thumbnail.equals(records.get('fresh')?.thumbnail ?? Buffer.alloc(0)));
  });

  it('does not touch an image that was delivered too often: it may have killed the process', async () => {
    await harness.publish({ ingest: { imageId: 'poison', content: await phantomPng(1) } });
    const consumer = await harness.connection.jetstream().consumers.get(STREAM.images, ENCODER_CONSUMER);
    for (let delivery = 0; delivery < 3; delivery++) (await consumer.next())?.nak();
    await harness.start(['--attempts-max', '3']);
    await harness.queueIsEmpty();
    const [letter] = await harness.deadLetters();
    assert.equal(letter?.reason?.code, 'TOO_MANY_ATTEMPTS');
    assert.equal(letter.deliveries, 4);
    assert.equal((await harness.records()).size, 0);
  });

  it('refuses to start with another model than the index holds', async () => {
    await (await harness.start()).drain();
    const other = `${harness.modelFolder}-other`;
    await writeRandomModel(other, 2);
    const refused = startEncoderProcess([...flags(), '--model', other]);
    assert.equal(await refused.exit, 1);
    assert.match(refused.lines.at(-1) ?? '', /^kinscan encoder: MODEL_VERSION_MISMATCH: /);
  });

  it('refuses to start with another patient hash key than those before it, and names neither', async () => {
    const [first, other] = ['5'.repeat(32), '6'.repeat(32)];
    await (await harness.start(['--patient-hash-key', first])).drain();
    const refused = startEncoderProcess([...flags(), '--patient-hash-key', other]);
    assert.equal(await refused.exit, 1);
    const line = refused.lines.at(-1) ?? '';
    assert.match(line, /^kinscan encoder: INVALID_ARGUMENT: --patient-hash-key /);
    assert.ok(!line.includes(first) && !line.includes(other));
    await (await harness.start(['--patient-hash-key', first])).drain();
    await (await harness.start()).drain();
  });
});

describe('the encoder command', () => {
  it('names every wrong flag at once and ends with 2', async () => {
    const refused = startEncoderProcess(['--decode-threads=-1', '--engine=abacus']);
    assert.equal(await refused.exit, 2);
    const [line] = refused.lines;
    assert.match(line ?? '', /--decode-threads is a whole number from 0 to 256/);
    assert.match(line ?? '', /--engine is one of auto, onnx, tfjs, not abacus/);
  });

  it('ends with 1 and one clear line where there is no model', async () => {
    const refused = startEncoderProcess(['--model', '/nowhere', '--log-level', 'silent']);
    assert.equal(await refused.exit, 1);
    assert.equal(refused.lines.length, 1);
    assert.match(refused.lines[0] ?? '', /^kinscan encoder: INVALID_MODEL: /);
  });
});
