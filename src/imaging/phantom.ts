import { Random } from '../core/random.js';
import { Canvas } from './phantom-canvas.js';
import { drawAbdomen, drawChest, drawHand, drawHead, drawKnee, drawPelvis } from './phantom-anatomy.js';

/** What the phantoms show. Head, chest, abdomen and pelvis look like axial CT slices, hand and knee like radiographs. */
export const PHANTOM_REGIONS = ['head', 'chest', 'abdomen', 'pelvis', 'hand', 'knee'] as const;

export type PhantomRegion = (typeof PHANTOM_REGIONS)[number];

export interface Phantom {
  readonly width: number;
  readonly height: number;
  /** shape [height, width], row-major, 8-bit gray. */
  readonly pixels: Uint8Array;
}

/** Edge of a phantom, in pixels. */
const PHANTOM_SIZE = 128;

const DRAW: Record<PhantomRegion, (canvas: Canvas, random: Random) => void> = {
  head: drawHead,
  chest: drawChest,
  abdomen: drawAbdomen,
  pelvis: drawPelvis,
  hand: drawHand,
  knee: drawKnee,
};

/**
 * Draws a made-up slice of a body region: ellipses and bones, then blur-free noise and a contrast of its own. Pose,
 * size, proportions, contrast and noise follow the seed; the same region and seed give the same pixels for ever.
 * It shows no person: nothing in it comes from an image.
 */
export function drawPhantom(region: PhantomRegion, seed: number): Phantom {
  // each region has its own sequence, so that equal seeds do not give equal poses in all six
  const random = new Random(Math.imul(seed, 8) + PHANTOM_REGIONS.indexOf(region));
  const canvas = new Canvas(PHANTOM_SIZE, {
    angle: random.normal() * 0.09,
    scale: random.between(0.86, 1.08),
    stretch: random.between(0.93, 1.07),
    shiftX: random.normal() * 0.05,
    shiftY: random.normal() * 0.05,
    mirrored: (region === 'hand' || region === 'knee') && random.uniform() < 0.5,
  });
  DRAW[region](canvas, random);
  return { width: PHANTOM_SIZE, height: PHANTOM_SIZE, pixels: expose(canvas.pixels, random) };
}

/** The scanner's part: slowly varying sensitivity, grain, gamma, brightness. */
function expose(pixels: Float32Array, random: Random): Uint8Array {
  const gamma = random.between(0.8, 1.25);
  const gain = random.between(0.85, 1.1);
  const offset = random.between(0, 0.05);
  const grain = random.between(0.01, 0.045);
  const slopeX = random.normal() * 0.06;
  const slopeY = random.normal() * 0.06;
  return Uint8Array.from(pixels, (value, index) => {
    const x = (index % PHANTOM_SIZE) / PHANTOM_SIZE - 0.5;
    const y = Math.floor(index / PHANTOM_SIZE) / PHANTOM_SIZE - 0.5;
    const lit = Math.max(0, value) ** gamma * gain * (1 + slopeX * x + slopeY * y) + offset;
    return Math.round(255 * Math.min(1, Math.max(0, lit + random.normal() * grain)));
  });
}
