import { standardisedBatch } from './image-batch.js';
import { scoreRetrieval, type RetrievalScore } from './retrieval-score.js';
import { seededRandom } from './seeded-random.js';
import type { TrainableNetwork } from './trainable-network.js';
import type { LabelledImages, Standardisation } from './training-set.js';

const IMAGES_MAX = 3000;
const ENCODING_BATCH = 100;

/**
 * How well a network ranks images that it was not trained on: they query one another, at most IMAGES_MAX of them.
 * @param heldOut indices into images
 * @returns undefined where fewer than two classes are among them
 */
export function heldOutScore(
  trainable: TrainableNetwork,
  images: LabelledImages,
  heldOut: Uint32Array,
  standardisation: Standardisation,
  seed: number,
): RetrievalScore | undefined {
  const chosen = Uint32Array.from(
    seededRandom(seed, 'validation')
      .shuffle([...heldOut])
      .slice(0, IMAGES_MAX),
  );
  const labels = Uint16Array.from(chosen, (index) => images.labels[index] as number);
  if (new Set(labels).size < 2) return undefined;
  const { codeBits } = trainable.network;
  const embeddings = layerOutputs(trainable, images, chosen, standardisation, 'fc2', codeBits);
  return scoreRetrieval(embeddings, codeBits, labels);
}

/** Outputs of a layer for some images as they are, in batches: shape [indices.length, units]. */
export function layerOutputs(
  trainable: TrainableNetwork,
  images: LabelledImages,
  indices: Uint32Array,
  standardisation: Standardisation,
  layer: string,
  units: number,
): Float32Array {
  const outputs = new Float32Array(indices.length * units);
  for (let at = 0; at < indices.length; at += ENCODING_BATCH) {
    const part = indices.subarray(at, at + ENCODING_BATCH);
    const pixels = standardisedBatch(images, part, standardisation);
    outputs.set(trainable.run(pixels, part.length, layer), at * units);
  }
  return outputs;
}
