import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { mergeMetadata, METADATA_TEXT_BYTES_MAX } from '../../src/encoder/merge-metadata.js';
import { quantiseEmbedding } from '../../src/encoder/quantise-embedding.js';

describe('an embedding as signed bytes', () => {
  it('is off by at most half a step, and its largest value is kept', () => {
    const value = fc.float({ min: -1_000, max: 1_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 256 }), (values) => {
        const embedding = Float32Array.from(values);
        const { bytes, scale } = quantiseEmbedding(embedding);
        const largest = Math.max(...embedding.map(Math.abs));
        embedding.forEach((exact, i) => {
          // the scale is rounded to float32 too: a little more than half a step
          assert.ok(
            Math.abs((bytes[i] as number) * scale - exact) <= scale * 0.5001 + largest * 1e-6 + 1e-40,
          );
        });
        if (scale > 1e-38) assert.equal(Math.max(...bytes.map(Math.abs)), 127);
      }),
    );
  });

  it('of zeros has the scale 0', () => {
    assert.deepEqual(quantiseEmbedding(new Float32Array(3)), { bytes: new Int8Array(3), scale: 0 });
  });
});

describe('the metadata of a record', () => {
  it('are those of the file, with what the client says on top', () => {
    const file = { modality: 'CT', bodyPart: 'CHEST', sopInstanceUid: '1.2', rows: 64, frameNumber: 2 };
    const client = {
      modality: '',
      bodyPart: 'ABDOMEN',
      label: 'liver',
      laterality: 'L',
      sopInstanceUid: '9.9',
      rows: 1,
    };
    assert.deepEqual(mergeMetadata(file, client), {
      modality: 'CT',
      bodyPart: 'ABDOMEN',
      sopInstanceUid: '1.2',
      rows: 64,
      frameNumber: 2,
      laterality: 'L',
      label: 'liver',
    });
    assert.deepEqual(mergeMetadata({}, null), {});
  });

  it('take identities from the client too, which a PNG has no other way to get', () => {
    const client = {
      studyInstanceUid: '1.2.3',
      seriesInstanceUid: '1.2.3.4',
      studyDate: 20240229,
      patientHash: 'ab'.repeat(32),
    };
    assert.deepEqual(mergeMetadata({ rows: 4 }, client), { rows: 4, ...client });
    const silent = { studyInstanceUid: '', seriesInstanceUid: '', studyDate: 0, patientHash: '' };
    const file = { studyInstanceUid: '9.9', studyDate: 20200101, patientHash: 'cd'.repeat(32) };
    assert.deepEqual(mergeMetadata(file, silent), file);
  });

  it('are cut to their limit at a whole character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (label) => {
        const { label: kept = '' } = mergeMetadata({}, { label });
        assert.ok(label.startsWith(kept));
        assert.ok(Buffer.byteLength(kept) <= METADATA_TEXT_BYTES_MAX);
        assert.equal(Buffer.from(kept).toString(), kept, 'valid UTF-8');
        if (Buffer.byteLength(label) <= METADATA_TEXT_BYTES_MAX) assert.equal(kept, label);
        else assert.ok(Buffer.byteLength(kept) > METADATA_TEXT_BYTES_MAX - 4, 'no more is lost than need be');
      }),
    );
  });
});
