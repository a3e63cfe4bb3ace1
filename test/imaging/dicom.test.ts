import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorCode } from '../../src/core/errors.js';
import { decodeImage, openImage } from '../../src/imaging/decode-image.js';
import { DEFAULT_IMAGE_LIMITS } from '../../src/imaging/image-limits.js';
import {
  buildDicom,
  imageElements,
  words,
  type DicomElement,
  type ImageElementsOptions,
} from '../helpers/dicom-builder.js';

const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';
const BIG_ENDIAN = '1.2.840.10008.1.2.2';
const DEFLATED = '1.2.840.10008.1.2.1.99';

async function grays(
  options: ImageElementsOptions,
  transferSyntaxUid = EXPLICIT,
  withMeta = true,
): Promise<number[]> {
  const bytes = buildDicom({ elements: imageElements(options), transferSyntaxUid, withMeta });
  return Array.from((await decodeImage(bytes)).frame.pixels, (value) => Math.round(value * 1e4) / 1e4);
}

async function assertRefused(options: Partial<ImageElementsOptions>, code: ErrorCode): Promise<void> {
  const elements = imageElements({ rows: 2, columns: 2, pixelData: words([0, 1, 2, 3]), ...options });
  await assert.rejects(decodeImage(buildDicom({ elements })), { code });
}

function decimals(tag: number, value: string): DicomElement {
  return { tag, vr: 'DS', value };
}

const RAMP = { rows: 1, columns: 5, pixelData: words([0, 250, 500, 750, 1000]) };
const QUARTERS = [0, 0.25, 0.5, 0.75, 1];

describe('native DICOM pixel data', () => {
  for (const [name, uid] of Object.entries({ IMPLICIT, EXPLICIT, DEFLATED })) {
    it(`reads 16 bits, ${name.toLowerCase()} little endian`, async () => {
      assert.deepEqual(await grays(RAMP, uid), QUARTERS);
    });
  }

  it('reads 16 bits, big endian', async () => {
    const pixelData = words([0, 250, 500, 750, 1000], true);
    assert.deepEqual(await grays({ ...RAMP, pixelData }, BIG_ENDIAN), QUARTERS);
  });

  for (const uid of [IMPLICIT, EXPLICIT]) {
    it(`reads files without preamble and file meta group, ${uid}`, async () => {
      assert.deepEqual(await grays(RAMP, uid, false), QUARTERS);
    });
  }

  it('reads big-endian files without preamble and file meta group', async () => {
    const pixelData = words([0, 250, 500, 750, 1000], true);
    assert.deepEqual(await grays({ ...RAMP, pixelData }, BIG_ENDIAN, false), QUARTERS);
  });

  it('reads files that begin with the file meta group, without preamble', async () => {
    const bytes = buildDicom({ elements: imageElements(RAMP) }).subarray(132);
    const { frame } = await decodeImage(bytes);
    assert.deepEqual(Array.from(frame.pixels), QUARTERS);
  });

  it('reads implicit VR where explicit VR is declared', async () => {
    const body = buildDicom({ elements: imageElements(RAMP), transferSyntaxUid: IMPLICIT, withMeta: false });
    const head = buildDicom({ elements: [], transferSyntaxUid: EXPLICIT });
    const { frame } = await decodeImage(new Uint8Array(Buffer.concat([head, body])));
    assert.deepEqual(Array.from(frame.pixels), QUARTERS);
  });

  it('reads 8 bits, signed and unsigned', async () => {
    const image = {
      rows: 1,
      columns: 5,
      bitsAllocated: 8,
      pixelData: Uint8Array.of(0x80, 0xc0, 0, 0x40, 0x7f),
    };
    assert.deepEqual(await grays(image), [0.6667, 1, 0, 0.3333, 0.6615]);
    assert.deepEqual(await grays({ ...image, signed: true }), [0, 0.251, 0.502, 0.7529, 1]);
  });

  it('takes only the stored bits, extends their sign, and ignores overlays in the others', async () => {
    // 12 bits in bits 4 to 15: -2048, -1024, 0, 1023, 2047, with rubbish below
    const stored = [0x800, 0xc00, 0x000, 0x3ff, 0x7ff].map((value) => (value << 4) | 0x9);
    const image = { ...RAMP, pixelData: words(stored), bitsStored: 12, highBit: 15, signed: true };
    assert.deepEqual(await grays(image), [0, 0.2501, 0.5001, 0.7499, 1]);
    const low = [0, 1024, 2048, 3072, 4095].map((value) => value | 0xf000);
    assert.deepEqual(
      await grays({ ...RAMP, pixelData: words(low), bitsStored: 12 }),
      [0, 0.2501, 0.5001, 0.7502, 1],
    );
  });

  it('reads 32 bits, signed and unsigned', async () => {
    const pixelData = new Uint8Array(Int32Array.of(-4, 0, 4).buffer);
    const image = { rows: 1, columns: 3, bitsAllocated: 32, pixelData };
    assert.deepEqual(await grays({ ...image, signed: true }), [0, 0.5, 1]);
    assert.deepEqual(await grays(image), [1, 0, 0]);
  });

  it('reads single bits, of frames that begin within a byte', async () => {
    const elements = imageElements({
      rows: 1,
      columns: 5,
      bitsAllocated: 1,
      frames: '2',
      pixelData: Uint8Array.of(0b01010011, 0b00000011),
    });
    const image = await openImage(buildDicom({ elements }));
    assert.deepEqual(Array.from((await image.readFrame(0)).frame.pixels), [1, 1, 0, 0, 1]);
    assert.deepEqual(Array.from((await image.readFrame(1)).frame.pixels), [0, 1, 0, 1, 1]);
  });

  it('reads floating point pixel data, with values that are not numbers black', async () => {
    const floats = {
      tag: 0x7fe00008,
      vr: 'OF',
      value: new Uint8Array(Float32Array.of(-1, NaN, 0, 1).buffer),
    };
    const elements = [
      ...imageElements({ rows: 2, columns: 2, pixelData: undefined, bitsAllocated: 32 }),
      floats,
    ];
    const { frame } = await decodeImage(buildDicom({ elements }));
    assert.deepEqual(Array.from(frame.pixels), [0, 0, 0.5, 1]);
    const doubles = { tag: 0x7fe00009, vr: 'OD', value: new Uint8Array(Float64Array.of(-1, 1, 0, 1).buffer) };
    const wide = [
      ...imageElements({ rows: 2, columns: 2, pixelData: undefined, bitsAllocated: 64 }),
      doubles,
    ];
    assert.deepEqual(
      Array.from((await decodeImage(buildDicom({ elements: wide }))).frame.pixels),
      [0, 1, 0.5, 1],
    );
  });

  it('reads 8 bits that big endian swapped in 16-bit words, odd lengths too', async () => {
    const pixelData = Uint8Array.of(50, 0, 150, 100, 0, 200);
    const image = { rows: 1, columns: 5, bitsAllocated: 8, pixelVr: 'OW', pixelData };
    assert.deepEqual(await grays(image, BIG_ENDIAN), QUARTERS);
  });

  it('gives every frame of a multi-frame file as an image of its own', async () => {
    const elements = imageElements({
      rows: 1,
      columns: 2,
      frames: '3 ',
      pixelData: words([0, 1, 1, 0, 7, 9]),
    });
    const image = await openImage(buildDicom({ elements }));
    assert.equal(image.frameCount, 3);
    const frames = await Promise.all([2, 1, 0].map((index) => image.readFrame(index)));
    assert.deepEqual(
      frames.map(({ frame }) => Array.from(frame.pixels)),
      [
        [0, 1],
        [1, 0],
        [0, 1],
      ],
    );
    assert.deepEqual(
      frames.map(({ metadata }) => [metadata.frameNumber, metadata.numberOfFrames]),
      [
        [3, 3],
        [2, 3],
        [1, 3],
      ],
    );
  });
});

describe('DICOM gray levels', () => {
  const window = (center: string, width: string, kind?: string): DicomElement[] => [
    decimals(0x00281050, center),
    decimals(0x00281051, width),
    ...(kind === undefined ? [] : [{ tag: 0x00281056, vr: 'CS', value: kind }]),
  ];
  const rescale = (intercept: string, slope: string): DicomElement[] => [
    decimals(0x00281052, intercept),
    decimals(0x00281053, slope),
  ];

  it('applies the first window after rescaling, by the linear function of PS3.3 C.11.2.1.2', async () => {
    // rescaled: -1000, -500, 0, 500, 1000; (x - (c - 0.5)) / (w - 1) + 0.5
    const extra = [...window('0.5\\40', '1001\\400'), ...rescale('-1000', '2')];
    assert.deepEqual(await grays({ ...RAMP, extra }), [0, 0, 0.5, 1, 1]);
    const wide = [...window('0.5', '2001'), ...rescale('-1000', '2')];
    assert.deepEqual(await grays({ ...RAMP, extra: wide }), QUARTERS);
  });

  it('applies LINEAR_EXACT and SIGMOID', async () => {
    assert.deepEqual(await grays({ ...RAMP, extra: window('500', '1000', 'LINEAR_EXACT') }), QUARTERS);
    const sigmoid = await grays({ ...RAMP, extra: window('500', '1000', 'SIGMOID') });
    assert.deepEqual(sigmoid, [0.1192, 0.2689, 0.5, 0.7311, 0.8808]);
  });

  it('makes a step of a window of width 1', async () => {
    assert.deepEqual(await grays({ ...RAMP, extra: window('500.5', '1') }), [0, 0, 0, 1, 1]);
  });

  it('ignores windows that are not valid', async () => {
    assert.deepEqual(await grays({ ...RAMP, extra: window('40', '0') }), QUARTERS);
    assert.deepEqual(await grays({ ...RAMP, extra: window('', '100') }), QUARTERS);
    assert.deepEqual(await grays({ ...RAMP, extra: window('x', '100') }), QUARTERS);
  });

  it('keeps the order of grays with a negative slope turned round', async () => {
    assert.deepEqual(await grays({ ...RAMP, extra: rescale('0', '-1') }), [1, 0.75, 0.5, 0.25, 0]);
  });

  it('inverts MONOCHROME1', async () => {
    assert.deepEqual(await grays({ ...RAMP, photometric: 'MONOCHROME1' }), [1, 0.75, 0.5, 0.25, 0]);
  });

  it('paints padding black and leaves it out of the range', async () => {
    const extra = [{ tag: 0x00280120, vr: 'US', value: [63536] }];
    const pixelData = words([-2000, 0, 500, 750, 1000]);
    assert.deepEqual(await grays({ ...RAMP, pixelData, signed: true, extra }), [0, 0, 0.5, 0.75, 1]);
  });

  it('gives an image of one value as black', async () => {
    assert.deepEqual(await grays({ ...RAMP, pixelData: words([7, 7, 7, 7, 7]) }), [0, 0, 0, 0, 0]);
  });

  it('takes window and rescale from the functional groups of the frame, else of all frames', async () => {
    const macro = (tag: number, items: DicomElement[]): DicomElement => ({ tag, vr: 'SQ', value: [items] });
    const shared = macro(0x52009229, [
      macro(0x00289132, window('500', '1000', 'LINEAR_EXACT')),
      macro(0x00289145, rescale('0', '1')),
    ]);
    const perFrame = {
      tag: 0x52009230,
      vr: 'SQ',
      value: [[], [macro(0x00289132, window('1000', '2000', 'LINEAR_EXACT'))]],
    };
    const values = [0, 250, 500, 750, 1000, 0, 250, 500, 750, 1000];
    for (const transferSyntaxUid of [IMPLICIT, EXPLICIT]) {
      const base = imageElements({ rows: 1, columns: 5, frames: '2', pixelData: words(values) });
      const pixelData = base.pop() as DicomElement;
      const elements = [...base, shared, perFrame, pixelData];
      const image = await openImage(buildDicom({ elements, transferSyntaxUid }));
      assert.deepEqual(Array.from((await image.readFrame(0)).frame.pixels), QUARTERS);
      assert.deepEqual(Array.from((await image.readFrame(1)).frame.pixels), [0, 0.125, 0.25, 0.375, 0.5]);
    }
  });
});

describe('DICOM colour', () => {
  const rgb = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];
  const luma = [0.299, 0.587, 0.114, 1];
  const colour = { rows: 2, columns: 2, bitsAllocated: 8, samplesPerPixel: 3 };

  it('turns RGB to gray, pixel by pixel and colour by colour', async () => {
    const image = { ...colour, photometric: 'RGB' };
    assert.deepEqual(await grays({ ...image, planar: 0, pixelData: Uint8Array.from(rgb) }), luma);
    const planes = Uint8Array.of(255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255);
    assert.deepEqual(await grays({ ...image, planar: 1, pixelData: planes }), luma);
  });

  it('takes the luma of YBR_FULL and YBR_FULL_422', async () => {
    const full = Uint8Array.of(0, 1, 2, 51, 1, 2, 102, 1, 2, 255, 1, 2);
    assert.deepEqual(await grays({ ...colour, photometric: 'YBR_FULL', pixelData: full }), [0, 0.2, 0.4, 1]);
    const half = Uint8Array.of(0, 51, 1, 2, 102, 255, 1, 2);
    assert.deepEqual(
      await grays({ ...colour, photometric: 'YBR_FULL_422', pixelData: half }),
      [0, 0.2, 0.4, 1],
    );
  });

  const palette = (bits: number, table: Uint8Array): DicomElement[] => [
    ...[0x00281101, 0x00281102, 0x00281103].map((tag) => ({ tag, vr: 'US', value: [4, 10, bits] })),
    ...[0x00281201, 0x00281202, 0x00281203].map((tag) => ({ tag, vr: 'OW', value: table })),
  ];

  it('looks PALETTE COLOR up in tables of 16 and of 8 bits, from their first value', async () => {
    const image = { rows: 1, columns: 6, bitsAllocated: 8, photometric: 'PALETTE COLOR' };
    const pixelData = Uint8Array.of(0, 10, 11, 12, 13, 200);
    const extra = palette(16, words([0, 13107, 26214, 65535]));
    assert.deepEqual(await grays({ ...image, pixelData, extra }), [0, 0, 0.2, 0.4, 1, 1]);
    const packed = palette(8, Uint8Array.of(0, 51, 102, 255));
    assert.deepEqual(await grays({ ...image, pixelData, extra: packed }), [0, 0, 0.2, 0.4, 1, 1]);
  });

  it('refuses palettes that are missing, short or segmented', async () => {
    const image = { bitsAllocated: 8, photometric: 'PALETTE COLOR', pixelData: Uint8Array.of(0, 1, 2, 3) };
    await assertRefused(image, 'CORRUPT_IMAGE');
    await assertRefused({ ...image, extra: palette(16, Uint8Array.of(1, 2)) }, 'CORRUPT_IMAGE');
    const segmented = [...palette(16, words([0, 1, 2, 3])), { tag: 0x00281221, vr: 'OW', value: words([0]) }];
    await assertRefused({ ...image, extra: segmented }, 'UNSUPPORTED_PHOTOMETRIC');
  });
});

describe('refusing DICOM', () => {
  it('names the transfer syntax that it cannot decode', async () => {
    const transferSyntaxUid = '1.2.840.10008.1.2.4.90';
    const bytes = buildDicom({ elements: imageElements(RAMP), transferSyntaxUid });
    await assert.rejects(decodeImage(bytes), {
      code: 'UNSUPPORTED_TRANSFER_SYNTAX',
      message: /1\.2\.840\.10008\.1\.2\.4\.90/,
    });
  });

  it('refuses photometric interpretations and depths that it cannot decode', async () => {
    await assertRefused({ photometric: 'YBR_ICT', samplesPerPixel: 3 }, 'UNSUPPORTED_PHOTOMETRIC');
    await assertRefused({ bitsAllocated: 12 }, 'UNSUPPORTED_PHOTOMETRIC');
    await assertRefused({ photometric: 'RGB', samplesPerPixel: 3 }, 'UNSUPPORTED_PHOTOMETRIC');
  });

  it('refuses files without pixel data, or with none in it', async () => {
    await assertRefused({ pixelData: undefined }, 'NO_PIXEL_DATA');
    await assertRefused({ pixelData: new Uint8Array() }, 'CORRUPT_IMAGE');
  });

  it('refuses sizes and depths that make no sense', async () => {
    await assertRefused({ rows: 0 }, 'CORRUPT_IMAGE');
    await assertRefused({ columns: 0 }, 'CORRUPT_IMAGE');
    await assertRefused({ bitsStored: 17 }, 'CORRUPT_IMAGE');
    await assertRefused({ bitsStored: 0 }, 'CORRUPT_IMAGE');
    await assertRefused({ highBit: 16, bitsStored: 12 }, 'CORRUPT_IMAGE');
    await assertRefused({ highBit: 3, bitsStored: 12 }, 'CORRUPT_IMAGE');
    await assertRefused({ samplesPerPixel: 3 }, 'CORRUPT_IMAGE');
    const odd = { photometric: 'YBR_FULL_422', samplesPerPixel: 3, bitsAllocated: 8, columns: 1 };
    await assertRefused(odd, 'CORRUPT_IMAGE');
  });

  it('refuses pixel data that is shorter than it declares', async () => {
    await assertRefused({ rows: 3 }, 'CORRUPT_IMAGE');
    await assertRefused({ frames: '2' }, 'CORRUPT_IMAGE');
    await assertRefused({ rows: 9_999, columns: 9_999 }, 'CORRUPT_IMAGE');
  });

  it('refuses more pixels or frames than the limits before it looks for them', async () => {
    await assertRefused({ rows: 65_535, columns: 65_535 }, 'PIXEL_LIMIT_EXCEEDED');
    await assertRefused({ frames: '10001' }, 'PIXEL_LIMIT_EXCEEDED');
  });

  it('takes nonsense in the number of frames for one frame', async () => {
    for (const frames of ['0', '-1', '1.5', 'many']) {
      const elements = imageElements({ ...RAMP, frames });
      assert.equal((await openImage(buildDicom({ elements }))).frameCount, 1);
    }
  });

  it('refuses deflated data that is damaged or inflates beyond the limit', async () => {
    const zeros = { rows: 500, columns: 500, pixelData: new Uint8Array(500_000) };
    const bytes = buildDicom({ elements: imageElements(zeros), transferSyntaxUid: DEFLATED });
    const limits = { ...DEFAULT_IMAGE_LIMITS, bytesMax: 100_000 };
    assert.ok(bytes.length < limits.bytesMax);
    await assert.rejects(decodeImage(bytes, limits), { code: 'IMAGE_TOO_LARGE' });
    await assert.rejects(decodeImage(bytes.subarray(0, bytes.length - 100)), { code: 'CORRUPT_IMAGE' });
  });

  it('refuses a file without transfer syntax', async () => {
    const bytes = new Uint8Array(200);
    bytes.set(new TextEncoder().encode('DICM'), 128);
    await assert.rejects(decodeImage(bytes), { code: 'CORRUPT_IMAGE' });
  });

  it('refuses a header of nothing but empty elements, and of sequences within sequences', async () => {
    const element = buildDicom({ elements: [{ tag: 0x00091000, vr: 'LO', value: '' }], withMeta: false });
    const head = buildDicom({ elements: imageElements({ ...RAMP, pixelData: undefined }) });
    const many = Buffer.alloc(9 * 1024 * 1024, element);
    await assert.rejects(decodeImage(new Uint8Array(Buffer.concat([head, many]))), { code: 'CORRUPT_IMAGE' });
    // a sequence of undefined length that begins an item of undefined length, which begins a sequence ...
    const opening = Buffer.from('08004011535100' + '00ffffffff' + 'feff00e0ffffffff', 'hex');
    const deep = Buffer.alloc(opening.length * 50_000, opening);
    await assert.rejects(decodeImage(new Uint8Array(Buffer.concat([head, deep]))), { code: 'CORRUPT_IMAGE' });
  });

  it('keeps patient data out of its messages', async () => {
    const name = { tag: 0x00100010, vr: 'PN', value: 'SECRET^NAME' };
    const elements = [...imageElements(RAMP), { ...name, tag: 0x7fe10010, vr: 'PN' }];
    const bytes = buildDicom({ elements: [name, ...elements] });
    for (let length = 1; length < bytes.length; length++) {
      await decodeImage(bytes.subarray(0, length)).catch((error: unknown) => {
        const { message, cause } = error as Error;
        assert.ok(!message.includes('SECRET') && cause === undefined, `cut to ${length} bytes: ${message}`);
      });
    }
  });
});
