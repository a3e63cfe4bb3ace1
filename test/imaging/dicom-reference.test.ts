import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { KinscanError, type ErrorCode } from '../../src/core/errors.js';
import { parseHeader } from '../../src/imaging/dicom/parse-header.js';
import { pixelLayoutOf } from '../../src/imaging/dicom/pixel-layout.js';
import { readStoredValues } from '../../src/imaging/dicom/stored-values.js';
import { hasNativePixelData } from '../../src/imaging/dicom/transfer-syntax.js';
import { decodeImage, openImage } from '../../src/imaging/decode-image.js';
import { identifyImage } from '../../src/imaging/identify-image.js';
import { DEFAULT_IMAGE_LIMITS } from '../../src/imaging/image-limits.js';
import { imageDataFolder, imageSet } from '../helpers/image-sets.js';

const tableFile = path.join(imageDataFolder(), 'dicom_mix.tsv');
const mix = existsSync(tableFile) ? imageSet('dicom_mix') : undefined;

/**
 * Where the table is not followed: file, what stands in the table, what is right.
 * The odd big-endian file has 27 bytes in 16-bit words; the reference did not swap them and took the padding for a pixel.
 * Its little-endian twin SC_rgb_small_odd.dcm has these pixels.
 */
const CORRECTED_HASHES: Record<string, string> = {
  'pydicom__SC_rgb_small_odd_big_endian.dcm': 'pydicom__SC_rgb_small_odd.dcm',
};

/** Without pixels by the table, but damaged before one could know. */
const DAMAGED_HEADERS: Record<string, ErrorCode> = {
  // begins in the middle of its first element, so that it is not recognised as DICOM
  'pydicom__no_meta.dcm': 'UNSUPPORTED_FORMAT',
  'pydicom__rtplan_truncated.dcm': 'CORRUPT_IMAGE',
};

/** The reference failed on these; undefined where kinscan decodes them all the same. */
const REFERENCE_FAILED: Record<string, ErrorCode | undefined> = {
  'pydicom__MR_truncated.dcm': 'CORRUPT_IMAGE',
  'pydicom__badVR.dcm': undefined,
  'pydicom__meta_missing_tsyntax.dcm': 'CORRUPT_IMAGE',
  'pydicom__nested_priv_SQ.dcm': 'CORRUPT_IMAGE',
  'dcmjs__sample-op.lei.dcm': undefined,
};

function tableRows(): Record<string, string>[] {
  const [head, ...lines] = readFileSync(tableFile, 'utf8').split(/\r?\n/);
  const names = (head as string).split('\t');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const cells = line.split('\t');
      return Object.fromEntries(names.map((name, index) => [name, cells[index] ?? '']));
    });
}

/** The SHA-256 of all frames' stored values in the byte order of the reference's numpy dtype ('>i2' is big endian). */
function storedHash(bytes: Uint8Array, dtype: string): string {
  const layout = pixelLayoutOf(parseHeader(bytes, DEFAULT_IMAGE_LIMITS), DEFAULT_IMAGE_LIMITS);
  const hash = createHash('sha256');
  for (let frame = 0; frame < layout.frameCount; frame++) {
    const values = readStoredValues(layout, frame);
    const buffer = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    if (dtype.startsWith('>') && values.BYTES_PER_ELEMENT === 2) buffer.swap16();
    if (dtype.startsWith('>') && values.BYTES_PER_ELEMENT === 4) buffer.swap32();
    hash.update(buffer);
  }
  return hash.digest('hex');
}

describe(
  'the public DICOM test files',
  { skip: mix === undefined && 'dicom_mix or dicom_mix.tsv is absent' },
  () => {
    const rows = mix === undefined ? [] : tableRows();
    for (const row of rows) {
      const file = row['file'] as string;
      const bytes = readFileSync(path.join(mix as string, file));
      const isCompressed = row['ts'] !== '' && !hasNativePixelData(row['ts'] as string);

      if (row['decode'] === 'ok' && !isCompressed) {
        it(`${file}: decodes to the reference's pixels`, async () => {
          const reference = rows.find(
            (other) => other['file'] === (CORRECTED_HASHES[file] ?? file),
          ) as typeof row;
          const expected = reference['expected_pix_sha256'] || reference['pix_sha256'];
          assert.equal(storedHash(bytes, row['dtype'] as string), expected);
          const image = await openImage(bytes);
          assert.equal(image.frameCount, Number(row['frames'] || 1));
          for (let index = 0; index < image.frameCount; index++) {
            const { frame } = await image.readFrame(index);
            assert.equal(frame.width, Number(row['cols']));
            assert.equal(frame.height, Number(row['rows']));
            assert.ok(frame.pixels.every((value) => value >= 0 && value <= 1));
          }
        });
      } else if (isCompressed && row['decode'] !== 'no pixel data') {
        it(`${file}: is refused for its transfer syntax`, async () => {
          await assert.rejects(decodeImage(bytes), { code: 'UNSUPPORTED_TRANSFER_SYNTAX' });
          assert.match(identifyImage(bytes).sopInstanceUid ?? '', /^[0-9.]+$/);
        });
      } else if (row['decode'] === 'no pixel data') {
        it(`${file}: is refused for having no pixels`, async () => {
          await assert.rejects(decodeImage(bytes), { code: DAMAGED_HEADERS[file] ?? 'NO_PIXEL_DATA' });
        });
      } else {
        it(`${file}: decodes or is refused with a code, where the reference failed`, async () => {
          const code = await decodeImage(bytes).then(
            ({ frame }) => assert.equal(frame.pixels.length, frame.width * frame.height),
            (error: unknown) => (error instanceof KinscanError ? error.code : 'not a KinscanError'),
          );
          const expected = REFERENCE_FAILED[file];
          assert.equal(code, expected);
        });
      }
    }
  },
);
