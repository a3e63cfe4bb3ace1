import { Random } from '../../core/random.js';
import type { StepOptions } from '../../model/trainable-network.js';

/** Which inputs an output sees: all of them, or its own slice only (DNNH's divide-and-encode module). */
export type HeadWiring = 'dense' | 'divided';

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
   * One step of stochastic gradient descent with momentum, as TrainableNetwork does it.
   * @param orthogonality weight of 1/4 ||W W' - I||^2, whose gradient is (W W' - I) W
   */
  step(
    activations: Float32Array,
    outputGradient: Float64Array,
    count: number,
    options: StepOptions,
    orthogonality: number,
  ): void {
    const { units, codeBits } = this;
    const penalty = orthogonality > 0 ? this.#orthogonalityGradient() : undefined;
    for (let j = 0; j < codeBits; j++) {
      const [start, end] = this.#ranges[j] as readonly [number, number];
      const slopes = new Float64Array(units);
      let biasSlope = 0;
      for (let n = 0; n < count; n++) {
        const slope = outputGradient[n * codeBits + j] as number;
        biasSlope += slope;
        for (let i = start; i < end; i++) {
          slopes[i] = (slopes[i] as number) + slope * (activations[n * units + i] as number);
        }
      }
      for (let i = start; i < end; i++) {
        const at = j * units + i;
        const weight = this.#weights[at] as number;
        const pull = penalty === undefined ? 0 : orthogonality * (penalty[at] as number);
        const gradient = (slopes[i] as number) + pull + options.weightDecay * weight;
        const velocity =
          options.momentum * (this.#weightVelocities[at] as number) - options.learningRate * gradient;
        this.#weightVelocities[at] = velocity;
        this.#weights[at] = weight + velocity;
      }
      const velocity =
        options.momentum * (this.#biasVelocities[j] as number) - options.learningRate * biasSlope;
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
