import type { Random } from '../core/random.js';

/**
 * Draws the images of a mini-batch. A class is drawn with a chance in proportion to (its size)^classBalance: 1 draws
 * every image equally often, 0 every class. Within a class images are drawn evenly, with replacement.
 */
export class BatchSampler {
  readonly #members: readonly Uint32Array[];
  readonly #cumulative: readonly number[];

  /**
   * @param labels shape [count]: the class of every image
   * @param indices the images to draw from
   */
  constructor(labels: Uint16Array, indices: Uint32Array, classCount: number, classBalance: number) {
    this.#members = Array.from({ length: classCount }, (_, label) =>
      indices.filter((index) => labels[index] === label),
    );
    const weights = this.#members.map((members) =>
      members.length === 0 ? 0 : members.length ** classBalance,
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let reached = 0;
    this.#cumulative = weights.map((weight) => (reached += weight / total));
  }

  /** A batch of images drawn independently: all its pairs are used. */
  drawImages(count: number, random: Random): Uint32Array {
    return Uint32Array.from({ length: count }, () => this.#imageOf(this.#drawClass(random), random));
  }

  /**
   * A batch of count / 2 pairs, neighbours in the result: 2 similar pairs for every 3 dissimilar ones (PAPER.md,
   * "Training").
   */
  drawPairs(count: number, random: Random): Uint32Array {
    const batch = new Uint32Array(count);
    for (let at = 0; at + 1 < count; at += 2) {
      const first = this.#drawClass(random);
      let second = first;
      if ((at / 2) % 5 >= 2) while (second === first) second = this.#drawClass(random);
      batch[at] = this.#imageOf(first, random);
      batch[at + 1] = this.#imageOf(second, random);
    }
    return batch;
  }

  #drawClass(random: Random): number {
    const point = random.uniform();
    const label = this.#cumulative.findIndex((reached) => point < reached);
    return label === -1 ? this.#cumulative.length - 1 : label;
  }

  #imageOf(label: number, random: Random): number {
    const members = this.#members[label] as Uint32Array;
    return members[random.integer(members.length)] as number;
  }
}
