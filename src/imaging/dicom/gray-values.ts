import type { Elements } from './elements.js';
import type { PixelLayout } from './pixel-layout.js';
import type { StoredValues } from './stored-values.js';
import { paletteGrays } from './palette.js';

/**
 * The gray of every pixel of a frame, 0 (black) to 1 (white); shape [rows, columns].
 *
 * Gray frames: stored value, times rescale slope plus intercept (DICOM PS3.3 section C.11.1), then the first window
 * (C.11.2.1.2), or, without a window, the frame's own smallest to largest value; then MONOCHROME1 is inverted. Pixel
 * padding (C.7.5.1.1.2) is black and does not count for smallest and largest. Look-up tables (Modality LUT and VOI LUT
 * sequences) are not applied. Colour frames: luma of ITU-R BT.601, which is the Y of YBR_FULL.
 */
export function toGray(
  values: StoredValues,
  layout: PixelLayout,
  elements: Elements,
  frameIndex: number,
): Float32Array {
  switch (layout.photometric) {
    case 'RGB':
      return grayOfRgb(values);
    case 'YBR_FULL':
    case 'YBR_FULL_422':
      return everyThird(values);
    case 'PALETTE COLOR':
      return grayOfPalette(values, paletteGrays(elements));
    case 'MONOCHROME1':
    case 'MONOCHROME2':
      return grayOfMonochrome(values, layout, elements, frameIndex);
  }
}

function grayOfRgb(values: StoredValues): Float32Array {
  const gray = new Float32Array(values.length / 3);
  for (let i = 0; i < gray.length; i++) {
    const red = values[i * 3] as number;
    const green = values[i * 3 + 1] as number;
    const blue = values[i * 3 + 2] as number;
    gray[i] = (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
  }
  return gray;
}

function everyThird(values: StoredValues): Float32Array {
  const gray = new Float32Array(values.length / 3);
  for (let i = 0; i < gray.length; i++) gray[i] = (values[i * 3] as number) / 255;
  return gray;
}

function grayOfPalette(values: StoredValues, palette: { first: number; grays: Float32Array }): Float32Array {
  const last = palette.grays.length - 1;
  const gray = new Float32Array(values.length);
  for (let i = 0; i < gray.length; i++) {
    const entry = Math.min(last, Math.max(0, (values[i] as number) - palette.first));
    gray[i] = palette.grays[entry] as number;
  }
  return gray;
}

function grayOfMonochrome(
  values: StoredValues,
  layout: PixelLayout,
  elements: Elements,
  frameIndex: number,
): Float32Array {
  const transformation = elements.ofFrame(frameIndex, 'x00289145');
  const slope = transformation.decimal('x00281053') ?? 1;
  const intercept = transformation.decimal('x00281052') ?? 0;
  const window =
    windowOf(elements.ofFrame(frameIndex, 'x00289132')) ?? rangeOf(values, layout, slope, intercept);
  const inverted = layout.photometric === 'MONOCHROME1';
  const gray = new Float32Array(values.length);
  for (let i = 0; i < gray.length; i++) {
    const value = values[i] as number;
    if (value === layout.paddingValue) continue;
    const share = window(value * slope + intercept);
    // a NaN, which only floating point data can hold, is black
    const clamped = share >= 1 ? 1 : share > 0 ? share : 0;
    gray[i] = inverted ? 1 - clamped : clamped;
  }
  return gray;
}

/** Maps a rescaled value to 0..1; results beyond are for the caller to clamp. */
type Window = (value: number) => number;

/** Window Center, Width and VOI LUT Function; undefined where there is no window or it is not valid. */
function windowOf(elements: Elements): Window | undefined {
  const center = elements.decimal('x00281050');
  const width = elements.decimal('x00281051');
  if (center === undefined || width === undefined) return undefined;
  const kind = elements.text('x00281056') ?? 'LINEAR';
  if (kind === 'SIGMOID')
    return width === 0 ? undefined : (x) => 1 / (1 + Math.exp((-4 * (x - center)) / width));
  if (kind === 'LINEAR_EXACT') return width > 0 ? (x) => (x - center) / width + 0.5 : undefined;
  if (width < 1) return undefined;
  if (width === 1) return (x) => (x <= center - 0.5 ? 0 : 1);
  return (x) => (x - (center - 0.5)) / (width - 1) + 0.5;
}

function rangeOf(values: StoredValues, layout: PixelLayout, slope: number, intercept: number): Window {
  let low = Infinity;
  let high = -Infinity;
  for (const stored of values) {
    if (stored === layout.paddingValue || !Number.isFinite(stored)) continue;
    if (stored < low) low = stored;
    if (stored > high) high = stored;
  }
  const first = Math.min(low * slope, high * slope) + intercept;
  const range = Math.abs((high - low) * slope);
  return (value) => (range > 0 ? (value - first) / range : 0);
}
