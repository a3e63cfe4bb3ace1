import sharp, { type Sharp } from 'sharp';

/** A synthetic raster image; sharp writes it, so that tests need no image files. */
export function rasterOf(
  samples: Uint8Array | Uint16Array | Float32Array,
  width: number,
  height: number,
  channels: 1 | 2 | 3 | 4 = 1,
): Sharp {
  const image = sharp(samples, { raw: { width, height, channels } });
  if (channels > 2) return samples instanceof Uint16Array ? image.toColourspace('rgb16') : image;
  return image.toColourspace(samples instanceof Uint16Array ? 'grey16' : 'b-w');
}

/** A PNG that declares a size and holds no pixels at all. */
export function emptyPng(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return new Uint8Array(
    Buffer.concat([
      signature,
      chunk('IHDR', header),
      chunk('IDAT', Buffer.alloc(0)),
      chunk('IEND', Buffer.alloc(0)),
    ]),
  );
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

/** CRC-32 of ISO 3309, as PNG wants it (PNG specification, annex D). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** An uncompressed little-endian TIFF of one strip (TIFF 6.0 sections 2 and 19), for samples that sharp cannot write. */
export function wideTiff(
  samples: Int16Array | Int32Array | Float32Array,
  width: number,
  height: number,
): Uint8Array {
  const isFloat = samples instanceof Float32Array;
  const data = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  const entries: [tag: number, value: number][] = [
    [256, width],
    [257, height],
    [258, samples.BYTES_PER_ELEMENT * 8],
    [259, 1],
    [262, 1],
    [273, 8],
    [277, 1],
    [278, height],
    [279, data.length],
    [339, isFloat ? 3 : 2],
  ];
  const directory = Buffer.alloc(2 + entries.length * 12 + 4);
  directory.writeUInt16LE(entries.length, 0);
  const LONG = 4;
  entries.forEach(([tag, value], index) => {
    const offset = 2 + index * 12;
    directory.writeUInt16LE(tag, offset);
    directory.writeUInt16LE(LONG, offset + 2);
    directory.writeUInt32LE(1, offset + 4);
    directory.writeUInt32LE(value, offset + 8);
  });
  const head = Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0]);
  head.writeUInt32LE(head.length + data.length, 4);
  return new Uint8Array(Buffer.concat([head, data, directory]));
}
