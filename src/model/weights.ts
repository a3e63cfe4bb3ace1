import { assert } from '../core/errors.js';
import { sizeOfShape, type Network, type ParameterSpec } from './network.js';
import type { Random } from '../core/random.js';
import { seededRandom } from './seeded-random.js';

/** Values of every parameter by name, float32, in the shapes of Network.parameters. */
export type Weights = ReadonlyMap<string, Float32Array>;

/** Xavier initialisation (Glorot and Bengio 2010, eq. 16): uniform within ±sqrt(6 / (fanIn + fanOut)); biases 0. */
export function initialWeights(network: Network, seed: number): Weights {
  return new Map(
    network.parameters.map((spec) => [spec.name, xavier(spec, seededRandom(seed, `weights/${spec.name}`))]),
  );
}

function xavier(spec: ParameterSpec, random: Random): Float32Array {
  const values = new Float32Array(sizeOfShape(spec.shape));
  if (spec.role === 'bias') return values;
  const limit = Math.sqrt(6 / (spec.fanIn + spec.fanOut));
  return values.map(() => (2 * random.uniform() - 1) * limit);
}

/** What a carry-over did with each parameter. */
export interface CarriedWeights {
  readonly weights: Weights;
  readonly carried: readonly string[];
  readonly widened: readonly string[];
  readonly fresh: readonly string[];
}

/**
 * Starts a network from another one's weights (PAPER.md, "Training": longer codes carry the shorter code's layers over
 * and widen the hash layer). A parameter of the same shape is copied; fc2 with more units keeps the old units in front
 * and adds fresh ones; fc1 of another input size starts fresh.
 */
export function carryOverWeights(source: Weights, network: Network, seed: number): CarriedWeights {
  const weights = new Map(initialWeights(network, seed));
  const carried: string[] = [];
  const widened: string[] = [];
  const fresh: string[] = [];
  for (const spec of network.parameters) {
    const old = source.get(spec.name);
    const values = weights.get(spec.name) as Float32Array;
    if (old?.length === values.length) {
      values.set(old);
      carried.push(spec.name);
    } else if (old !== undefined && spec.name.startsWith('fc2/') && old.length < values.length) {
      widenColumns(old, values, spec);
      widened.push(spec.name);
    } else {
      fresh.push(spec.name);
    }
  }
  return { weights, carried, widened, fresh };
}

function widenColumns(old: Float32Array, values: Float32Array, spec: ParameterSpec): void {
  const columns = spec.shape.at(-1) as number;
  const rows = values.length / columns;
  const oldColumns = old.length / rows;
  assert(Number.isInteger(oldColumns), 'a hash layer widens by whole columns');
  for (let row = 0; row < rows; row++) {
    values.set(old.subarray(row * oldColumns, (row + 1) * oldColumns), row * columns);
  }
}
