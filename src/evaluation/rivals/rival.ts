import type { Augmentation } from '../../model/augmentation.js';
import type { LabelledImages } from '../../model/training-set.js';
import type { TrainingSettings } from '../../model/training-settings.js';
import type { Weights } from '../../model/weights.js';

/** Images with both kinds of input that rivals take. */
export interface ImageSet {
  readonly images: LabelledImages;
  /** GIST, shape [count, descriptorDimensions]. */
  readonly descriptors: Float32Array;
  readonly descriptorDimensions: number;
}

/** What the deep methods train with; the same for all of them. */
export interface TrainingBudget {
  readonly iterations: number;
  /** Mini-batches that the shared trunk trains for before (shared-trunk.ts); 0: every method starts from nothing. */
  readonly trunkIterations: number;
  /** Images in a mini-batch. */
  readonly batchSize: number;
  /** Random changes of training images, drawn anew for every image of every batch. */
  readonly augmentation: Augmentation;
  /** Whether the training set holds the mirror image of every image too (left and right swapped). */
  readonly mirror: boolean;
}

/** What a measurement changes of a deep method, to see what it does. */
export interface MethodChange {
  readonly learningRate?: number;
  /** The paper's network only. */
  readonly settings?: Partial<
    Pick<
      TrainingSettings,
      'alpha' | 'margin' | 'pairs' | 'centre' | 'learningRateDecay' | 'warmUpIterations' | 'gradientNormMax'
    >
  >;
  /** The paper's network only: shorter code lengths to train first, in bits; all stages share the iterations. */
  readonly lengths?: readonly number[];
}

export interface FitOptions {
  readonly codeBits: number;
  readonly seed: number;
  readonly budget: TrainingBudget;
  readonly change?: MethodChange;
  /** conv1 to fc1 of the shared trunk, by parameter name. */
  readonly trunk?: Weights;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A fitted method. */
export interface RivalEncoder {
  /**
   * @returns real values whose signs are the code (bit 1 where >= 0), shape [count, codeBits]
   */
  encode(set: ImageSet): Promise<Float32Array> | Float32Array;
  /** Frees what the method holds outside the JavaScript heap. */
  close(): void;
}

/** One method of the comparison. Every method is given the same training set, labels included; some do not use them. */
export interface Rival {
  /** Short and stable: file names and options use it. */
  readonly name: string;
  readonly title: string;
  readonly citation: string;
  /** 'descriptors' for methods on GIST, 'images' for networks. */
  readonly input: 'descriptors' | 'images';
  readonly supervised: boolean;
  /** What was chosen, for the report. */
  readonly hyperParameters: Readonly<Record<string, number | string>>;
  fit(training: ImageSet, options: FitOptions): Promise<RivalEncoder>;
}

/** The number of images in a set. */
export function imageCount(set: ImageSet): number {
  return set.images.labels.length;
}
