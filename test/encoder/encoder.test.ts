import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { codeOfEmbedding } from '../../src/core/code.js';
import { partitionOf, tieKeyOf } from '../../src/core/tie-key.js';
import type { EncodedNotice__Output } from '../../src/generated/kinscan/v1/EncodedNotice.js';
import { decodeImage } from '../../src/imaging/decode-image.js';
import { resizeToSquare } from '../../src/imaging/resize.js';
import { openEncodingEngine, type EncodingEngine } from '../../src/model/encoding-engine.js';
import { messageCodec } from '../../src/runtime/proto.js';
import { OBJECT_BUCKET, SUBJECT } from '../../src/runtime/streams.js';
import { emptyPng } from '../helpers/raster-builder.js';
import { waitUntil } from '../helpers/wait-until.js';
import {
  CODE_BITS,
  INPUT_SIZE,
  PARTITION_COUNT,
  startHarness,
  type EncoderHarness,
} from './encoder-harness.js';
import { dicomWithoutPixels, multiFrameDicom, phantomJpeg, phantomPng } from './test-images.js';

const noticeCodec = messageCodec<object, EncodedNotice__Output>('EncodedNotice');

describe('an encoder node', () => {
  let harness: EncoderHarness;
  let engine: EncodingEngine;
  const notices = new Map<number, EncodedNotice__Output>();

  before(async () => {
    harness = await startHarness();
    engine = await openEncodingEngine(harness.modelFolder, { engine: 'onnx' });
    harness.connection.subscribe(SUBJECT.encodedNotice, {
      callback: (_, message) => {
        const notice = noticeCodec.decode(message.data);
        notices.set(notice.revision, notice);
      },
    });
    await harness.start();
  });

  after(async () => {
    await engine.close();
    await harness.stop();
  });

  const embeddingOf = async (bytes: Uint8Array): Promise<Float32Array> => {
    const { frame } = await decodeImage(bytes);
    return engine.encode(resizeToSquare(frame, INPUT_SIZE), 1);
  };

  it('writes one exact record for each image', async () => {
    const images = await Promise.all(
      Array.from({ length: 60 }, (_, n) => (n % 2 ? phantomPng(n) : phantomJpeg(n))),
    );
    const revisions = await Promise.all(
      images.map((content, n) =>
        harness.publish({
          ingest: {
            imageId: `image-${n}`,
            content,
            metadata: { label: `label ${n}` },
            acceptedAtMs: 1_000 + n,
          },
        }),
      ),
    );
    await harness.queueIsEmpty();
    const stored = await harness.codes();
    assert.equal(stored.length, images.length);
    for (const [n, content] of images.entries()) {
      const found = stored.find(({ entry }) => entry.record?.imageId === `image-${n}`);
      const record = found?.entry.record;
      assert.ok(found && record, `image-${n} has a record`);
      const embedding = await embeddingOf(content);
      assert.equal(found.subject, SUBJECT.codes(partitionOf(tieKeyOf(`image-${n}`), PARTITION_COUNT)));
      assert.equal(found.messageId, `image-${n}:${revisions[n]}`);
      assert.equal(record.revision, revisions[n]);
      assert.equal(record.modelVersion, engine.modelVersion);
      assert.deepEqual(new Uint8Array(record.code?.bits ?? []), codeOfEmbedding(embedding));
      assert.equal(record.code?.codeBits, CODE_BITS);
      const bytes = new Int8Array(record.embedding);
      embedding.forEach((value, i) => {
        const restored = (bytes[i] ?? NaN) * record.embeddingScale;
        assert.ok(Math.abs(restored - value) <= record.embeddingScale * 0.51, `value ${i} survives as int8`);
      });
      assert.equal(record.acceptedAtMs, 1_000 + n);
      assert.deepEqual(
        [record.metadata?.rows, record.metadata?.columns, record.metadata?.label],
        [128, 128, `label ${n}`],
      );
      const thumbnail = await decodeImage(record.thumbnail);
      assert.equal(thumbnail.frame.width, 128);
    }
  });

  it('tells where the records are', async () => {
    const revision = await harness.publish({ ingest: { imageId: 'noticed', content: await phantomPng(1) } });
    const notice = await waitUntil('the notice', () => notices.get(revision));
    const stored = (await harness.codes()).find(({ entry }) => entry.record?.imageId === 'noticed');
    const partition = partitionOf(tieKeyOf('noticed'), PARTITION_COUNT);
    assert.deepEqual(notice.positions, [{ partition, streamSequence: stored?.streamSequence }]);
    assert.equal(notice.images, 1);
    assert.equal(notice.rejected, null);
  });

  it('turns bad images into dead letters with their reasons and goes on', async () => {
    const png = await phantomPng(3);
    const jpeg = await phantomJpeg(4);
    const bad: Record<string, [content: Uint8Array, code: string]> = {
      empty: [new Uint8Array(0), 'EMPTY_IMAGE'],
      'text.png': [Buffer.from('not a picture at all'), 'UNSUPPORTED_FORMAT'],
      'truncated.jpg': [jpeg.slice(0, jpeg.length / 2), 'CORRUPT_IMAGE'],
      'bomb.png': [emptyPng(30_000, 30_000), 'PIXEL_LIMIT_EXCEEDED'],
      'no-pixels.dcm': [dicomWithoutPixels(), 'NO_PIXEL_DATA'],
      ['x'.repeat(600)]: [png, 'INVALID_IMAGE_ID'],
    };
    const before = (await harness.deadLetters()).length;
    for (const [imageId, [content]] of Object.entries(bad)) {
      await harness.publish({ ingest: { imageId, content, contentBytes: content.length } });
      await harness.publish({ ingest: { imageId: `good beside ${imageId.slice(0, 20)}`, content: png } });
    }
    const garbage = await harness.publishBytes(Buffer.from([0xff, 0xff, 0xff, 0x01]));
    await harness.queueIsEmpty();
    const letters = (await harness.deadLetters()).slice(before);
    assert.equal(letters.length, Object.keys(bad).length + 1);
    for (const [imageId, [content, code]] of Object.entries(bad)) {
      const letter = letters.find(({ task }) => task?.imageId === imageId);
      assert.equal(letter?.reason?.code, code, `reason of ${imageId.slice(0, 20)}`);
      assert.deepEqual(
        new Uint8Array(letter.task?.content ?? []),
        new Uint8Array(content),
        'the file is kept',
      );
      assert.equal((await waitUntil('the notice', () => notices.get(letter.revision))).rejected?.code, code);
    }
    assert.equal(letters.find(({ revision }) => revision === garbage)?.reason?.code, 'CORRUPT_RECORD');
    const records = await harness.records();
    for (const imageId of Object.keys(bad)) {
      assert.ok(!records.has(imageId), 'no record of a bad image');
      assert.ok(records.has(`good beside ${imageId.slice(0, 20)}`), 'the good one beside it is there');
    }
  });

  it('indexes every frame of a multi-frame instance, and none where one frame is damaged', async () => {
    const frames = 40;
    const whole = multiFrameDicom(frames);
    const revision = await harness.publish({
      ingest: { imageId: '1.2.3.4.5', content: whole, metadata: { bodyPart: 'HEAD' } },
    });
    await harness.publish({ ingest: { imageId: '9.9.9', content: multiFrameDicom(frames, 10) } });
    await harness.queueIsEmpty();
    const stored = (await harness.codes()).filter(
      ({ entry }) => (entry.record ?? entry.removal)?.revision === revision,
    );
    const [removal] = stored.filter(({ entry }) => entry.removal !== undefined);
    assert.deepEqual({ ...removal?.entry.removal }, { imageId: '1.2.3.4.5', revision });
    assert.equal(removal?.subject, SUBJECT.codesAll);
    const records = stored.flatMap(({ entry }) => entry.record ?? []);
    assert.deepEqual(
      new Set(records.map(({ imageId }) => imageId)),
      new Set(Array.from({ length: frames }, (_, n) => `1.2.3.4.5#${n + 1}`)),
    );
    assert.equal(records.length, frames);
    for (const record of records) {
      assert.equal(`1.2.3.4.5#${record.metadata?.frameNumber}`, record.imageId);
      assert.equal(record.metadata?.numberOfFrames, frames);
      assert.deepEqual([record.metadata?.modality, record.metadata?.bodyPart], ['CT', 'HEAD']);
    }
    const notice = await waitUntil('the notice', () => notices.get(revision));
    assert.equal(notice.images, frames);
    assert.equal(notice.positions.length, PARTITION_COUNT, 'the removal concerns every partition');
    assert.equal(
      Math.max(...notice.positions.map((p) => p.streamSequence)),
      Math.max(...stored.map((s) => s.streamSequence)),
    );
    const letter = (await harness.deadLetters()).find(({ task }) => task?.imageId === '9.9.9');
    assert.equal(letter?.reason?.code, 'CORRUPT_IMAGE');
    assert.ok(![...(await harness.records()).keys()].some((id) => id.startsWith('9.9.9')));
  });

  it('passes deletions on: of a frame to its partition, of anything else to all', async () => {
    const one = await harness.publish({ delete: { imageId: '1.2.3.4.5#7' } });
    const all = await harness.publish({ delete: { imageId: 'image-1' } });
    await harness.queueIsEmpty();
    const subjectOf = new Map(
      (await harness.codes()).map(({ subject, entry }) => [entry.removal?.revision, subject]),
    );
    assert.equal(subjectOf.get(one), SUBJECT.codes(partitionOf(tieKeyOf('1.2.3.4.5#7'), PARTITION_COUNT)));
    assert.equal(subjectOf.get(all), SUBJECT.codesAll);
    const notice = await waitUntil('the notice', () => notices.get(all));
    assert.deepEqual(notice.positions.map(({ partition }) => partition).sort(), [0, 1, 2, 3]);
  });

  it('reads large files from the object store, deletes them afterwards, and keeps those of dead letters', async () => {
    const store = await harness.connection.jetstream().views.os(OBJECT_BUCKET);
    const png = await phantomPng(9);
    await store.putBlob({ name: 'good' }, png);
    await store.putBlob({ name: 'bad' }, Buffer.from('nothing to see'));
    const task = (imageId: string, objectName: string) =>
      harness.publish({ ingest: { imageId, objectName, contentBytes: png.length } });
    await task('large', 'good');
    await task('large-bad', 'bad');
    await task('large-missing', 'never stored');
    await harness.queueIsEmpty();
    const record = (await harness.records()).get('large');
    assert.deepEqual(new Uint8Array(record?.code?.bits ?? []), codeOfEmbedding(await embeddingOf(png)));
    await waitUntil('the file is deleted', async () => (await store.info('good'))?.deleted === true);
    const letters = new Map((await harness.deadLetters()).map((letter) => [letter.task?.imageId, letter]));
    assert.equal(letters.get('large-bad')?.reason?.code, 'UNSUPPORTED_FORMAT');
    assert.equal(letters.get('large-bad')?.task?.objectName, 'bad');
    assert.deepEqual(Buffer.from((await store.getBlob('bad')) ?? []).toString(), 'nothing to see');
    assert.equal(letters.get('large-missing')?.reason?.code, 'CORRUPT_RECORD');
  });
});
