import { forward } from './forward.js';
import { sizeOfShape, type Network, type ParameterSpec } from './network.js';
import { tf } from './tf.js';
import type { Weights } from './weights.js';

/** Turns embeddings [n, codeBits] into ∂loss/∂embeddings of the same shape. */
export type EmbeddingGradient = (embeddings: Float32Array) => Float32Array;

export interface StepOptions {
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
  /**
   * A gradient whose L2 norm over all trained parameters is greater is scaled down to it (Pascanu et al., "On the
   * difficulty of training recurrent neural networks", ICML 2013, algorithm 1); 0 or absent: never.
   */
  readonly gradientNormMax?: number;
  /**
   * The squared norm of the gradient by parameters of the same loss that are not this network's; it counts towards
   * gradientNormMax. Asked for after the gradient by the embeddings.
   */
  readonly squaredNormOutside?: () => number;
}

interface TrainedParameter {
  readonly spec: ParameterSpec;
  readonly value: tf.Variable;
  readonly velocity: tf.Variable;
}

/** The network's weights on the tfjs backend, with the momentum of each. Close it to free the tensors. */
export class TrainableNetwork {
  readonly network: Network;
  readonly #parameters: readonly TrainedParameter[];

  constructor(network: Network, weights: Weights, velocities?: Weights) {
    this.network = network;
    this.#parameters = network.parameters.map((spec) => ({
      spec,
      value: variable(spec, weights.get(spec.name) as Float32Array, true),
      velocity: variable(
        spec,
        velocities?.get(spec.name) ?? new Float32Array(sizeOfShape(spec.shape)),
        false,
      ),
    }));
  }

  /**
   * @param images shape [count, inputSize, inputSize], standardised
   * @param outputLayer name of the layer whose output is returned, shape [count, units]
   */
  run(images: Float32Array, count: number, outputLayer = 'fc2'): Float32Array {
    return this.runAll(images, count, [outputLayer])[0] as Float32Array;
  }

  /** As run, with the outputs of several layers from one forward pass. */
  runAll(images: Float32Array, count: number, outputLayers: readonly string[]): Float32Array[] {
    return tf.tidy(() => {
      const input = this.#imageTensor(images, count);
      return forward(this.network, this.#tensors(), input, outputLayers).map((output) =>
        output.dataSync<'float32'>(),
      );
    });
  }

  /**
   * One step of stochastic gradient descent with momentum: v ← μv − η(g + λw), w ← w + v, where g is no longer than
   * gradientNormMax.
   * The loss lives outside tfjs: its gradient by the embeddings G enters the backward pass as that of Σ embeddings ∘ G.
   * @param layers the layers to train; absent: all but that of the fine code
   * @returns what gradients were multiplied by, 1 where none was too long
   */
  step(
    images: Float32Array,
    count: number,
    embeddingGradient: EmbeddingGradient,
    options: StepOptions,
    layers?: readonly string[],
  ): number {
    const { gradientNormMax = 0, squaredNormOutside } = options;
    let scale = 1;
    tf.tidy(() => {
      const input = this.#imageTensor(images, count);
      const { grads } = tf.variableGrads(
        () => {
          const [embeddings] = forward(this.network, this.#tensors(), input, ['fc2']) as [tf.Tensor2D];
          const slope = embeddingGradient(embeddings.dataSync<'float32'>());
          return tf.sum(tf.mul(embeddings, tf.tensor2d(slope, embeddings.shape)));
        },
        this.#parameters.filter(({ spec }) => isTrained(spec, layers)).map(({ value }) => value),
      );
      if (gradientNormMax > 0) {
        const squaredNorm = squaredNormOf(Object.values(grads)) + (squaredNormOutside?.() ?? 0);
        scale = Math.min(1, gradientNormMax / Math.sqrt(squaredNorm));
      }
      for (const { spec, value, velocity } of this.#parameters) {
        const given = grads[value.name];
        if (given === undefined) continue;
        const gradient = scale === 1 ? given : tf.mul(given, scale);
        const decayed =
          spec.role === 'kernel' ? tf.add(gradient, tf.mul(value, options.weightDecay)) : gradient;
        velocity.assign(tf.sub(tf.mul(velocity, options.momentum), tf.mul(decayed, options.learningRate)));
        value.assign(tf.add(value, velocity));
      }
    });
    return scale;
  }

  /** Adds to every unit of a layer's bias; its momentum stays. */
  shiftBias(layer: string, shift: Float32Array): void {
    const { value } = this.#parameters.find(({ spec }) => spec.name === `${layer}/bias`) as TrainedParameter;
    tf.tidy(() => value.assign(tf.add(value, tf.tensor1d(shift))));
  }

  weights(): Weights {
    return new Map(
      this.#parameters.map(({ spec, value }) => [spec.name, value.dataSync<'float32'>().slice()]),
    );
  }

  velocities(): Weights {
    return new Map(
      this.#parameters.map(({ spec, velocity }) => [spec.name, velocity.dataSync<'float32'>().slice()]),
    );
  }

  close(): void {
    for (const { value, velocity } of this.#parameters) tf.dispose([value, velocity]);
  }

  #tensors(): ReadonlyMap<string, tf.Tensor> {
    return new Map(this.#parameters.map(({ spec, value }) => [spec.name, value]));
  }

  #imageTensor(images: Float32Array, count: number): tf.Tensor4D {
    const { inputSize } = this.network;
    return tf.tensor4d(images, [count, inputSize, inputSize, 1]);
  }
}

function squaredNormOf(gradients: readonly tf.Tensor[]): number {
  const squares = gradients.map((gradient) => tf.sum(tf.square(gradient)).dataSync()[0] as number);
  return squares.reduce((sum, square) => sum + square, 0);
}

function isTrained({ name }: ParameterSpec, layers: readonly string[] | undefined): boolean {
  const layer = name.slice(0, name.indexOf('/'));
  return layers === undefined ? layer !== 'fine' : layers.includes(layer);
}

function variable(spec: ParameterSpec, values: Float32Array, trainable: boolean): tf.Variable {
  return tf.tidy(() => tf.variable(tf.tensor(values, [...spec.shape]), trainable));
}
