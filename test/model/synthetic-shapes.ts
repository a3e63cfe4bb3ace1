import { seededRandom } from '../../src/model/seeded-random.js';
import type { LabelledImages } from '../../src/model/training-set.js';

/** Made-up images of three classes: a bright disc, a bright frame, stripes; noise, places and sizes by seed. */
export function syntheticShapes(perClass: number, inputSize: number, seed: number): LabelledImages {
  const classNames = ['disc', 'frame', 'stripes'];
  const count = perClass * classNames.length;
  const labels = new Uint16Array(count);
  const pixels = new Uint8Array(count * inputSize ** 2);
  for (let index = 0; index < count; index++) {
    const label = index % classNames.length;
    labels[index] = label;
    const random = seededRandom(seed, 'shape', index);
    const [x0, y0] = [random.between(0.4, 0.6) * inputSize, random.between(0.4, 0.6) * inputSize];
    const size = random.between(0.2, 0.35) * inputSize;
    for (let at = 0; at < inputSize ** 2; at++) {
      const [x, y] = [at % inputSize, Math.floor(at / inputSize)];
      const lit = isLit(label, x - x0, y - y0, size);
      pixels[index * inputSize ** 2 + at] = Math.round(40 + (lit ? 150 : 0) + random.uniform() * 40);
    }
  }
  return { inputSize, classNames, labels, pixels };
}

function isLit(label: number, x: number, y: number, size: number): boolean {
  if (label === 0) return x * x + y * y < size * size;
  if (label === 1)
    return Math.max(Math.abs(x), Math.abs(y)) < size * 1.2 && Math.max(Math.abs(x), Math.abs(y)) > size * 0.7;
  return Math.floor(Math.abs(y) / 2) % 2 === 0;
}
