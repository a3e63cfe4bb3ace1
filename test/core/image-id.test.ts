import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  baseImageId,
  contentImageId,
  frameImageId,
  imageIdsOf,
  validateImageId,
} from '../../src/core/image-id.js';

describe('image ids', () => {
  it('accepts 1 to 512 bytes of UTF-8 and returns them', () => {
    for (const id of ['a', 'scans/head 1.png', '1.2.840.113619', 'ü'.repeat(256), '🩻']) {
      assert.equal(validateImageId(id), id);
    }
  });

  it('refuses empty and longer ids, control characters and half surrogate pairs, without quoting them', () => {
    for (const id of [
      '',
      'a'.repeat(513),
      'ü'.repeat(257),
      'x'.repeat(10_000),
      'a\nb',
      'a\0',
      '\u0085',
      'a\ud800',
    ]) {
      assert.throws(
        () => validateImageId(id),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'INVALID_IMAGE_ID');
          return id.length < 3 || !error.message.includes(id);
        },
      );
    }
  });

  it('is the SHA-256 of the content where there is no other', () => {
    const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    assert.equal(contentImageId(new TextEncoder().encode('abc')), expected);
  });

  it('names frames from 1, and leaves the id of a single frame alone', () => {
    assert.deepEqual(imageIdsOf('1.2.3', 3), ['1.2.3#1', '1.2.3#2', '1.2.3#3']);
    assert.deepEqual(imageIdsOf('1.2.3', 1), ['1.2.3']);
    assert.equal(frameImageId('1.2.3', 10), '1.2.3#10');
  });

  it('gives back the id without its frame', () => {
    assert.equal(baseImageId('1.2.3#10'), '1.2.3');
    for (const id of ['1.2.3', 'a#b', 'a#0', 'a#1b', 'a#']) assert.equal(baseImageId(id), id);
  });
});
