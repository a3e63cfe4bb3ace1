import { assert } from '../../core/errors.js';
import { scatterOf, symmetricEigen } from './linear-algebra.js';
import { descriptorMeans, projectDescriptors } from './linear-code.js';
import { imageCount, type ImageSet, type Rival, type RivalEncoder } from './rival.js';

/** One bit: a cosine with `halfWaves` half periods over the range of one principal component. */
interface Mode {
  readonly component: number;
  readonly halfWaves: number;
}

/**
 * Spectral hashing. If descriptors filled a box along their principal axes uniformly, the best balanced and
 * uncorrelated bits would be the signs of the box's lowest modes of vibration: one cosine along one axis each.
 *
 *   range r of a component, m half waves:   cos(m pi (x - min) / r),   cost (m pi / r)^2; the codeBits cheapest win
 *
 * A long axis gets several bits (m = 1, 2, 3 ...), a short one none.
 */
export const spectralHashing: Rival = {
  name: 'sh',
  title: 'SH',
  citation: 'Y. Weiss, A. Torralba, R. Fergus, Spectral Hashing, NIPS 2008',
  input: 'descriptors',
  supervised: false,
  hyperParameters: { components: 'as many as bits', range: 'minimum to maximum of the training set' },
  fit: (training, { codeBits }) => Promise.resolve(fitSpectralHashing(training, codeBits)),
};

function fitSpectralHashing(training: ImageSet, codeBits: number): RivalEncoder {
  const count = imageCount(training);
  const means = descriptorMeans(training);
  const scatter = scatterOf(
    { rows: count, columns: training.descriptorDimensions, values: training.descriptors },
    means,
  );
  const axes = symmetricEigen(scatter, Math.min(codeBits, training.descriptorDimensions)).vectors;
  const { lows, ranges } = rangesOf(projectDescriptors(training, axes, means), axes.length);
  const modes = cheapestModes(ranges, codeBits);
  const encode = (set: ImageSet): Float32Array => {
    const projected = projectDescriptors(set, axes, means);
    const rows = imageCount(set);
    const values = new Float32Array(rows * codeBits);
    for (let row = 0; row < rows; row++) {
      modes.forEach(({ component, halfWaves }, bit) => {
        const x = (projected[row * axes.length + component] as number) - (lows[component] as number);
        values[row * codeBits + bit] = Math.cos((halfWaves * Math.PI * x) / (ranges[component] as number));
      });
    }
    return values;
  };
  return { encode, close: () => undefined };
}

function rangesOf(projected: Float32Array, components: number): { lows: number[]; ranges: number[] } {
  const lows = new Array<number>(components).fill(Infinity);
  const highs = new Array<number>(components).fill(-Infinity);
  projected.forEach((value, at) => {
    const component = at % components;
    lows[component] = Math.min(lows[component] as number, value);
    highs[component] = Math.max(highs[component] as number, value);
  });
  return { lows, ranges: highs.map((high, component) => high - (lows[component] as number)) };
}

/** The modes of least (halfWaves / range), ties by component: the order of the paper's eigenvalues. */
export function cheapestModes(ranges: readonly number[], codeBits: number): Mode[] {
  const modes = ranges.flatMap((range, component) =>
    range > 0
      ? Array.from({ length: codeBits }, (_, i) => ({ component, halfWaves: i + 1, cost: (i + 1) / range }))
      : [],
  );
  assert(modes.length >= codeBits, 'the descriptors differ in at least one direction');
  modes.sort((a, b) => a.cost - b.cost || a.component - b.component);
  return modes.slice(0, codeBits).map(({ component, halfWaves }) => ({ component, halfWaves }));
}
