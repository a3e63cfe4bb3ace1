import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ImageRecord, ImageRecord__Output } from '../../src/generated/kinscan/v1/ImageRecord.js';
import { messageCodec } from '../../src/runtime/proto.js';
import { keepFields } from '../../src/runtime/proto-fields.js';

const codec = messageCodec<ImageRecord, ImageRecord__Output>('ImageRecord');
const record: ImageRecord = {
  imageId: 'lung/1',
  revision: 2 ** 40,
  modelVersion: 'a'.repeat(64),
  code: { bits: Buffer.from([1, 2, 3, 4, 5, 6]), codeBits: 48 },
  embedding: Buffer.alloc(48, 7),
  embeddingScale: 0.5,
  metadata: { modality: 'CT', label: 'lung', rows: 512 },
  thumbnail: Buffer.alloc(300, 9),
  acceptedAtMs: 1_700_000_000_000,
};

describe('keepFields', () => {
  it('keeps the fields named and nothing else', () => {
    const kept = codec.decode(keepFields(codec.encode(record), new Set([2, 8, 9])));
    const whole = codec.decode(codec.encode(record));
    assert.deepEqual(
      kept,
      codec.decode(
        codec.encode({ revision: whole.revision, metadata: whole.metadata, thumbnail: whole.thumbnail }),
      ),
    );
    assert.equal(kept.revision, 2 ** 40);
    assert.equal(kept.metadata?.label, 'lung');
  });

  it('copies a message whole where all its fields are kept', () => {
    const bytes = codec.encode(record);
    const all = new Set(Array.from({ length: 16 }, (_, i) => i));
    assert.deepEqual(keepFields(bytes, all), bytes);
    assert.equal(keepFields(bytes, new Set()).length, 0);
  });

  it('refuses bytes that are no message', () => {
    const bytes = codec.encode(record);
    assert.throws(() => keepFields(bytes.subarray(0, bytes.length - 3), new Set([2])), RangeError);
    assert.throws(() => keepFields(Buffer.from([0x80]), new Set([2])), RangeError);
    assert.throws(() => keepFields(Buffer.from([0x0f]), new Set([2])), RangeError);
  });
});
