import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeImage } from '../../src/imaging/decode-image.js';
import { identifyImage } from '../../src/imaging/identify-image.js';
import { imageFormatOf } from '../../src/imaging/image-format.js';
import { DEFAULT_IMAGE_LIMITS } from '../../src/imaging/image-limits.js';
import { buildDicom, imageElements, words, type DicomElement } from '../helpers/dicom-builder.js';
import { rasterOf } from '../helpers/raster-builder.js';

const IMAGE = { rows: 1, columns: 2, pixelData: words([0, 1]) };

function text(tag: number, value: string, vr = 'CS'): DicomElement {
  return { tag, vr, value };
}

describe('telling formats by their first bytes', () => {
  it('knows PNG, JPEG, TIFF of either byte order, BigTIFF and DICOM', async () => {
    const raster = rasterOf(Uint8Array.of(0, 1, 2, 3), 2, 2);
    assert.equal(imageFormatOf(await raster.clone().png().toBuffer()), 'png');
    assert.equal(imageFormatOf(await raster.clone().jpeg().toBuffer()), 'jpeg');
    assert.equal(imageFormatOf(await raster.clone().tiff().toBuffer()), 'tiff');
    assert.equal(imageFormatOf(await raster.clone().tiff({ bigtiff: true }).toBuffer()), 'tiff');
    assert.equal(imageFormatOf(Uint8Array.of(0x4d, 0x4d, 0, 42, 0, 0, 0, 8)), 'tiff');
    assert.equal(imageFormatOf(Uint8Array.of(0x4d, 0x4d, 0, 43, 0, 8, 0, 0)), 'tiff');
    assert.equal(imageFormatOf(buildDicom({ elements: imageElements(IMAGE) })), 'dicom');
  });

  it('takes a DICOM file for DICOM though its free first bytes hold a TIFF header', () => {
    const bytes = buildDicom({ elements: imageElements(IMAGE) });
    bytes.set([0x49, 0x49, 42, 0], 0);
    assert.equal(imageFormatOf(bytes), 'dicom');
  });

  it('knows nothing else', () => {
    for (const other of [
      '',
      'P5 2 2 255 ',
      'GIF89a',
      '%PDF-1.7',
      '<svg>',
      'BM',
      'RIFF....WEBPVP8 ',
      '\0'.repeat(200),
    ]) {
      assert.equal(imageFormatOf(new TextEncoder().encode(other)), undefined, other);
    }
  });
});

describe('identifying images', () => {
  it('gives the SOP Instance UID and the number of frames of native and compressed DICOM', () => {
    for (const transferSyntaxUid of ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.4.90']) {
      const single = buildDicom({ elements: imageElements(IMAGE), transferSyntaxUid });
      assert.deepEqual(identifyImage(single), {
        format: 'dicom',
        sopInstanceUid: '1.2.3.4.5',
        numberOfFrames: 1,
      });
      const several = buildDicom({ elements: imageElements({ ...IMAGE, frames: '12' }), transferSyntaxUid });
      assert.equal(identifyImage(several).numberOfFrames, 12);
    }
  });

  it('gives what stands before the damage', () => {
    const bytes = buildDicom({ elements: imageElements({ ...IMAGE, frames: '12' }) });
    const afterUid = Buffer.from(bytes).indexOf('1.2.3.4.5') + 12;
    assert.deepEqual(identifyImage(bytes.subarray(0, afterUid)), {
      format: 'dicom',
      sopInstanceUid: '1.2.3.4.5',
    });
    assert.deepEqual(identifyImage(bytes.subarray(0, 140)), { format: 'dicom' });
  });

  it('gives no number of frames beyond the limit, and no UID that is none', () => {
    const frames = DEFAULT_IMAGE_LIMITS.framesMax + 1;
    const many = buildDicom({ elements: imageElements({ ...IMAGE, frames: String(frames) }) });
    assert.equal(identifyImage(many).numberOfFrames, undefined);
    const named = buildDicom({ elements: [text(0x00080018, 'DOE^JANE', 'UI')] });
    assert.equal(identifyImage(named).sopInstanceUid, undefined);
  });

  it('gives the format alone for others', async () => {
    const png = await rasterOf(Uint8Array.of(0, 1, 2, 3), 2, 2)
      .png()
      .toBuffer();
    assert.deepEqual(identifyImage(png), { format: 'png' });
    assert.deepEqual(identifyImage(new Uint8Array()), { format: undefined });
  });
});

describe('DICOM metadata', () => {
  it('holds the allowed elements and nothing else', async () => {
    const elements = [
      text(0x00080018, '1.2.3', 'UI'),
      text(0x00080050, 'ACCESSION', 'SH'),
      text(0x00080060, 'MR'),
      text(0x00080080, 'HOSPITAL', 'LO'),
      text(0x00100010, 'DOE^JANE', 'PN'),
      text(0x00100020, 'PATIENT-ID', 'LO'),
      text(0x00100030, '19700101', 'DA'),
      text(0x00180015, 'KNEE '),
      text(0x0020000d, '1.2.4', 'UI'),
      text(0x0020000e, '1.2.5', 'UI'),
      text(0x00200060, 'R'),
      text(0x00200062, 'L'),
      ...imageElements(IMAGE).slice(2),
    ];
    const { metadata } = await decodeImage(buildDicom({ elements }));
    assert.deepEqual(metadata, {
      modality: 'MR',
      bodyPart: 'KNEE',
      laterality: 'L',
      studyInstanceUid: '1.2.4',
      seriesInstanceUid: '1.2.5',
      sopInstanceUid: '1.2.3',
      rows: 1,
      columns: 2,
    });
  });

  it('drops values that are no code word or UID, lest they hold free text', async () => {
    const elements = [
      text(0x00080018, 'DOE^JANE', 'UI'),
      text(0x00080060, 'CT'),
      text(0x00180015, 'Knee of Jane Doe, 1970'),
      text(0x00200060, 'R'),
      ...imageElements(IMAGE).slice(2),
    ];
    const { metadata } = await decodeImage(buildDicom({ elements }));
    assert.deepEqual(metadata, { modality: 'CT', laterality: 'R', rows: 1, columns: 2 });
  });
});
