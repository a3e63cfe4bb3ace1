import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KinscanError } from '../../src/core/errors.js';
import { openImage } from '../../src/imaging/decode-image.js';
import { identifyImage } from '../../src/imaging/identify-image.js';
import { imageFormatOf } from '../../src/imaging/image-format.js';
import { buildDicom, imageElements, words, type DicomElement } from '../helpers/dicom-builder.js';
import { imageSet } from '../helpers/image-sets.js';
import { rasterOf } from '../helpers/raster-builder.js';

/** Small, so that damage cannot make a test slow: a damaged size of more pixels is refused. */
const LIMITS = { bytesMax: 1024 * 1024, pixelsMax: 1_000_000, framesMax: 100 };

/** Whatever the bytes: a frame of its own size within 0..1, or a KinscanError of an imaging code. */
async function assertFrameOrError(bytes: Uint8Array): Promise<void> {
  identifyImage(bytes, LIMITS);
  try {
    const image = await openImage(bytes, LIMITS);
    assert.ok(image.frameCount >= 1 && image.frameCount <= LIMITS.framesMax);
    const { frame } = await image.readFrame(image.frameCount - 1);
    assert.equal(frame.pixels.length, frame.width * frame.height);
    assert.ok(frame.pixels.every((value) => value >= 0 && value <= 1));
  } catch (error) {
    assert.ok(error instanceof KinscanError, String(error));
    assert.notEqual(error.code, 'INTERNAL');
  }
}

function dicomFiles(): Uint8Array[] {
  const sequence: DicomElement = {
    tag: 0x00081140,
    vr: 'SQ',
    value: [[{ tag: 0x00081150, vr: 'UI', value: '1.2' }], []],
  };
  const image = {
    rows: 4,
    columns: 4,
    pixelData: words(Array.from({ length: 48 }, (_, i) => i)),
    frames: '3',
  };
  const [uid, ...others] = imageElements(image);
  const elements = [uid as DicomElement, sequence, ...others];
  const syntaxes = [
    '1.2.840.10008.1.2',
    '1.2.840.10008.1.2.1',
    '1.2.840.10008.1.2.2',
    '1.2.840.10008.1.2.1.99',
  ];
  const gray = syntaxes.map((transferSyntaxUid) => buildDicom({ elements, transferSyntaxUid }));
  const bare = buildDicom({ elements, withMeta: false });
  const tables = [0x00281101, 0x00281102, 0x00281103].map((tag) => ({ tag, vr: 'US', value: [16, 0, 8] }));
  const data = [0x00281201, 0x00281202, 0x00281203].map((tag) => ({
    tag,
    vr: 'OW',
    value: new Uint8Array(16),
  }));
  const palette = imageElements({
    rows: 4,
    columns: 4,
    bitsAllocated: 8,
    photometric: 'PALETTE COLOR',
    pixelData: new Uint8Array(16).map((_, i) => i),
    extra: [...tables, ...data],
  });
  const colour = imageElements({
    rows: 4,
    columns: 4,
    bitsAllocated: 8,
    samplesPerPixel: 3,
    planar: 1,
    photometric: 'RGB',
    pixelData: new Uint8Array(48),
  });
  return [...gray, bare, buildDicom({ elements: palette }), buildDicom({ elements: colour })];
}

async function rasterFiles(): Promise<Uint8Array[]> {
  const raster = rasterOf(
    Uint8Array.from({ length: 24 * 24 }, (_, i) => (i * 7919) % 251),
    24,
    24,
  );
  return [
    await raster.clone().png().toBuffer(),
    await raster.clone().jpeg().toBuffer(),
    await raster.clone().jpeg({ progressive: true }).toBuffer(),
    await raster.clone().tiff({ compression: 'none' }).toBuffer(),
    await raster.clone().tiff({ compression: 'lzw' }).toBuffer(),
  ];
}

/** Changes to a file: bytes overwritten at some share of its length, then cut to some share of it. */
const damage = fc.record({
  writes: fc.array(
    fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.uint8Array({ minLength: 1, maxLength: 4 })),
    {
      maxLength: 6,
    },
  ),
  keep: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
});

type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(file: Uint8Array, { writes, keep }: Damage): Uint8Array {
  const bytes = Uint8Array.from(file);
  for (const [share, values] of writes) {
    bytes.set(
      values.subarray(0, bytes.length),
      Math.floor(share * Math.max(0, bytes.length - values.length)),
    );
  }
  return bytes.subarray(0, Math.floor(bytes.length * keep));
}

describe('damaged images', () => {
  it('bytes at random give a frame or an error with a code', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), assertFrameOrError), {
      numRuns: 300,
    });
  });

  it('random bytes behind each format’s first ones give a frame or an error with a code', async () => {
    const starts = [...dicomFiles(), ...(await rasterFiles())].map((file) => file.subarray(0, 200));
    const property = fc.asyncProperty(
      fc.constantFrom(...starts),
      fc.nat(200),
      fc.uint8Array({ maxLength: 300 }),
      (start, length, rest) => assertFrameOrError(new Uint8Array([...start.subarray(0, length), ...rest])),
    );
    await fc.assert(property, { numRuns: 500 });
  });

  it('DICOM files with bytes overwritten and cut off give a frame or an error with a code', async () => {
    const files = dicomFiles();
    for (const file of files) assert.equal(imageFormatOf(file), 'dicom');
    const property = fc.asyncProperty(fc.constantFrom(...files), damage, (file, change) =>
      assertFrameOrError(damaged(file, change)),
    );
    await fc.assert(property, { numRuns: 3_000 });
  });

  it('every truncation of a DICOM file gives an error with a code', async () => {
    for (const file of dicomFiles().slice(0, 4)) {
      for (let length = 0; length < file.length; length++) {
        await assert.rejects(openImage(file.subarray(0, length)), KinscanError, `cut to ${length} bytes`);
      }
    }
  });

  it('PNG, JPEG and TIFF files with bytes overwritten and cut off give a frame or an error with a code', async () => {
    const property = fc.asyncProperty(fc.constantFrom(...(await rasterFiles())), damage, (file, change) =>
      assertFrameOrError(damaged(file, change)),
    );
    await fc.assert(property, { numRuns: 800 });
  });

  const mix = imageSet('dicom_mix');
  it('public DICOM files, damaged, too', { skip: mix === undefined && 'dicom_mix is absent' }, async () => {
    const folder = mix as string;
    const files = readdirSync(folder)
      .map((name) => readFileSync(path.join(folder, name)))
      .filter((bytes) => bytes.length < 100_000);
    const property = fc.asyncProperty(fc.constantFrom(...files), damage, (file, change) =>
      assertFrameOrError(damaged(file, change)),
    );
    await fc.assert(property, { numRuns: 1_000 });
  });
});
