import { Random } from '../../core/random.js';
import type { StepOptions } from '../../model/trainable-network.js';

/** Which inputs an output sees: all of them, or its own slice only (DNNH's divide-and-encode module). */
export type HeadWiring = 'dense' | 'divided';

/** By the weights, shape [codeBits, units], and by the biases, shape [codeBits]. */
export interface HeadGradient {
  readonly weights: Float64Array;
  readonly biases: Float64Array;
}

export function squaredNormOf({ weights, biases }: HeadGradient): number {
  let sum = 0;
  for (const values of [weights, biases]) for (const value of values) sum += value * value;
  return sum;
}

/**
 * The hash layer on top of the trunk, in plain code and double precision: a linear map from the trunk's units to
 * codeBits outputs, with the gradients and the momentum of its own weights.
 *
 *   dense     every output reads all units
 *   divided   output j reads units floor(j u / k) to floor((j + 1) u / k) - 1 of u units, so that bits share nothing
 */
export class HashHead {
  readonly units: number;
  readonly codeBits: number;
  /** First unit that each output reads, and the one after the last. */
  readonly #ranges: readonly (readonly [number, number])[];
  readonly #weights: Float64Array;
  readonly #biases: Float64Array;
  readonly #weightVelocities: Float64Array;
  readonly #biasVelocities: Float64Array;

  /** Xavier initialisation; biases 0. */
  constructor(units: number, codeBits: number, wiring: HeadWiring, seed: number) {
    this.units = units;
    this.codeBits = codeBits;
    const cut = (j: number) => Math.floor((j * units) / codeBits);
    this.#ranges = Array.from({ length: codeBits }, (_, j) =>
      wiring === 'dense' ? [0, units] : [cut(j), cut(j + 1)],
    );
    const random = new Random(seed);
    this.#weights = new Float64Array(units * codeBits);
    this.#biases = new Float64Array(codeBits);
    this.#weightVelocities = new Float64Array(units * codeBits);
    this.#biasVelocities = new Float64Array(codeBits);
    const fanOut = wiring === 'dense' ? codeBits : 1;
    this.#ranges.forEach(([start, end], j) => {
      const limit = Math.sqrt(6 / (end - start + fanOut));
      for (let i = start; i < end; i++) this.#weights[j * units + i] = random.between(-limit, limit);
    });
  }

  /**
   * Scales and shifts every output to mean 0 and deviation 1 over a sample, as our own hash layer starts
   * (src/model/calibrate-hash-layer.ts): without it activations' common mean gives every image the same signs.
   * @param activations shape [count, units]
   */
  calibrate(activations: Float32Array, count: number): void {
    const { units, codeBits } = this;
    const outputs = this.forward(activations, count);
    for (let j = 0; j < codeBits; j++) {
      let [sum, sumOfSquares] = [0, 0];
      for (let n = 0; n < count; n++) {
        const output = outputs[n * codeBits + j] as number;
        sum += output;
        sumOfSquares += output * output;
      }
      const mean = sum / count;
      const deviation = Math.sqrt(Math.max(sumOfSquares / count - mean * mean, 1e-12));
      for (let i = 0; i < units; i++) {
        this.#weights[j * units + i] = (this.#weights[j * units + i] as number) / deviation;
      }
      this.#biases[j] = ((this.#biases[j] as number) - mean) / deviation;
    }
  }

  /** @param activations shape [count, units]; @returns shape [count, codeBits] */
  forward(activations: Float32Array, count: number): Float64Array {
    const { units, codeBits } = this;
    const outputs = new Float64Array(count * codeBits);
    for (let n = 0; n < count; n++) {
      for (let j = 0; j < codeBits; j++) {
        const [start, end] = this.#ranges[j] as readonly [number, number];
        let sum = this.#biases[j] as number;
        for (let i = start; i < end; i++) {
          sum += (this.#weights[j * units + i] as number) * (activations[n * units + i] as number);
        }
        outputs[n * codeBits + j] = sum;
      }
    }
    return outputs;
  }

  /** The gradient by the activations, for the trunk: shape [count, units]. */
  backward(outputGradient: Float64Array, count: number): Float32Array {
    const { units, codeBits } = this;
    const gradient = new Float32Array(count * units);
    for (let n = 0; n < count; n++) {
      for (let j = 0; j < codeBits; j++) {
        const slope = outputGradient[n * codeBits + j] as number;
        const [start, end] = this.#ranges[j] as readonly [number, number];
        for (let i = start; i < end; i++) {
          const at = n * units + i;
          gradient[at] = (gradient[at] as number) + slope * (this.#weights[j * units + i] as number);
        }
      }
    }
    return gradient;
  }

  /**
   * The gradient by the head's own weights and biases.
   * @param orthogonality weight of 1/4 ||W W' - I||^2, whose gradient is (W W' - I) W
   */
  gradient(
    activations: Float32Array,
    outputGradient: Float64Array,
    count: number,
    orthogonality: number,
  ): HeadGradient {
    const { units, codeBits } = this;
    const weights = new Float64Array(units * codeBits);
    const biases = new Float64Array(codeBits);
    const penalty = orthogonality > 0 ? this.#orthogonalityGradient() : undefined;
    for (let j = 0; j < codeBits; j++) {
      const [start, end] = this.#ranges[j] as readonly [number, number];
      for (let n = 0; n < count; n++) {
        const slope = outputGradient[n * codeBits + j] as number;
        biases[j] = (biases[j] as number) + slope;
        for (let i = start; i < end; i++) {
          const at = j * units + i;
          weights[at] = (weights[at] as number) + slope * (activations[n * units + i] as number);
        }
      }
      if (penalty === undefined) continue;
      for (let at = j * units + start; at < j * units + end; at++) {
        weights[at] = (weights[at] as number) + orthogonality * (penalty[at] as number);
      }
    }
    return { weights, biases };
  }

  /** One step of stochastic gradient descent with momentum, as TrainableNetwork does it, by `scale` times the gradient. */
  step({ weights, biases }: HeadGradient, scale: number, options: StepOptions): void {
    const { units, codeBits } = this;
    const { momentum, learningRate, weightDecay } = options;
    for (let j = 0; j < codeBits; j++) {
      const [start, end] = this.#ranges[j] as readonly [number, number];
      for (let at = j * units + start; at < j * units + end; at++) {
        const weight = this.#weights[at] as number;
        const slope = scale * (weights[at] as number) + weightDecay * weight;
        const velocity = momentum * (this.#weightVelocities[at] as number) - learningRate * slope;
        this.#weightVelocities[at] = velocity;
        this.#weights[at] = weight + velocity;
      }
      const slope = scale * (biases[j] as number);
      const velocity = momentum * (this.#biasVelocities[j] as number) - learningRate * slope;
      this.#biasVelocities[j] = velocity;
      this.#biases[j] = (this.#biases[j] as number) + velocity;
    }
  }

  #orthogonalityGradient(): Float64Array {
    const { units, codeBits } = this;
    const gradient = new Float64Array(units * codeBits);
    for (let a = 0; a < codeBits; a++) {
      for (let b = 0; b < codeBits; b++) {
        let product = a === b ? -1 : 0;
        for (let i = 0; i < units; i++) {
          product += (this.#weights[a * units + i] as number) * (this.#weights[b * units + i] as number);
        }
        for (let i = 0; i < units; i++) {
          const at = a * units + i;
          gradient[at] = (gradient[at] as number) + product * (this.#weights[b * units + i] as number);
        }
      }
    }
    return gradient;
  }
}
