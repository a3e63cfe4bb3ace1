import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { drawPhantom, PHANTOM_REGIONS } from './phantom.js';
import { encodeGrayPng } from './raster.js';

export interface SampleArchiveOptions {
  /** Images in all, spread evenly over the regions. @default 300 */
  readonly count?: number;
  /** @default 1 */
  readonly seed?: number;
}

const DEFAULT_SAMPLE_COUNT = 300;
const DEFAULT_SAMPLE_SEED = 1;
/** Keeps archives of neighbouring seeds from sharing images. */
const SEED_STRIDE = 1_000_003;

/**
 * Draws phantoms as PNG files `<folder>/<region>/<n>.png`, n from 0001; the same options give the same files.
 * @returns the files' paths, in the order drawn: one of each region in turn
 */
export async function writeSampleArchive(
  folder: string,
  options: SampleArchiveOptions = {},
): Promise<string[]> {
  const count = options.count ?? DEFAULT_SAMPLE_COUNT;
  const seed = options.seed ?? DEFAULT_SAMPLE_SEED;
  const files: string[] = [];
  for (const region of PHANTOM_REGIONS) await mkdir(path.join(folder, region), { recursive: true });
  for (let index = 0; index < count; index++) {
    const region = PHANTOM_REGIONS[index % PHANTOM_REGIONS.length] as (typeof PHANTOM_REGIONS)[number];
    const number = Math.floor(index / PHANTOM_REGIONS.length) + 1;
    const phantom = drawPhantom(region, seed * SEED_STRIDE + number);
    const file = path.join(folder, region, `${String(number).padStart(4, '0')}.png`);
    await writeFile(file, await encodeGrayPng(phantom.pixels, phantom.width, phantom.height));
    files.push(file);
  }
  return files;
}
