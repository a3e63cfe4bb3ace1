import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { DEFAULT_IMAGE_LIMITS } from '../../src/imaging/image-limits.js';
import { openImage } from '../../src/imaging/decode-image.js';
import { buildDicom, imageElements, type DicomElement } from '../helpers/dicom-builder.js';

const KEY = 'k'.repeat(32);

/** The metadata of a small file with these elements beside its image. */
async function metadataOf(extra: readonly DicomElement[], key = KEY) {
  const elements = [
    ...imageElements({ rows: 2, columns: 2, bitsAllocated: 8, pixelData: Uint8Array.of(1, 2, 3, 4) }),
    ...extra,
  ].sort((a, b) => a.tag - b.tag);
  const image = await openImage(buildDicom({ elements }), DEFAULT_IMAGE_LIMITS, key);
  return (await image.readFrame(0)).metadata;
}

describe('the study date', () => {
  const dateOf = async (value: string) =>
    (await metadataOf([{ tag: 0x00080020, vr: 'DA', value }])).studyDate;

  it('is a number where it is a date, as written today and before 1993', async () => {
    assert.equal(await dateOf('20240229'), 20240229);
    assert.equal(await dateOf('1993.08.22'), 19930822);
  });

  it('is left out where it is none', async () => {
    for (const value of ['', '20230229', '2024', '00000000', '20240101-20240202', 'unknown', '2024-01-01'])
      assert.equal(await dateOf(value), undefined, value);
  });
});

describe('the patient hash', () => {
  const patient = (value: string): DicomElement[] => [
    { tag: 0x00100010, vr: 'PN', value: 'Doe^Jane' },
    { tag: 0x00100020, vr: 'LO', value },
    { tag: 0x00100030, vr: 'DA', value: '19600102' },
  ];

  it('is the HMAC of the patient id, whatever its padding', async () => {
    const expected = createHmac('sha256', KEY).update('MRN-4711').digest('hex');
    for (const value of ['MRN-4711', ' MRN-4711 ', 'MRN-4711  '])
      assert.equal((await metadataOf(patient(value))).patientHash, expected);
  });

  it('differs by patient and by key', async () => {
    const hashes = [
      await metadataOf(patient('1')),
      await metadataOf(patient('2')),
      await metadataOf(patient('1'), 'K'.repeat(32)),
    ].map(({ patientHash }) => patientHash);
    assert.equal(new Set(hashes).size, 3);
  });

  it('is not made without a key or without an id', async () => {
    assert.equal((await metadataOf(patient('1'), '')).patientHash, undefined);
    assert.equal((await metadataOf(patient('   '))).patientHash, undefined);
    assert.equal((await metadataOf([])).patientHash, undefined);
  });

  it('is all that is taken of the patient', async () => {
    const metadata = JSON.stringify(await metadataOf(patient('MRN-4711')));
    for (const secret of ['MRN-4711', 'Doe', '1960']) assert.ok(!metadata.includes(secret));
  });
});
