import { assert } from './errors.js';
import { GROUP_KEY_BYTES, type HitList } from './hit-list.js';

/** A hit list that is filled row by row with rows of others, up to a capacity. */
export class HitListBuilder {
  readonly #distances: Uint16Array;
  readonly #fineDistances: Uint16Array;
  readonly #tieKeys: BigUint64Array;
  readonly #imageIds: string[] = [];
  readonly #groupKeys: Uint8Array[] = [];

  constructor(capacity: number) {
    this.#distances = new Uint16Array(capacity);
    this.#fineDistances = new Uint16Array(capacity);
    this.#tieKeys = new BigUint64Array(capacity);
  }

  get isFull(): boolean {
    return this.#imageIds.length === this.#distances.length;
  }

  /** @param groupKey GROUP_KEY_BYTES; given with every row or with none */
  take(list: HitList, row: number, groupKey?: Uint8Array): void {
    assert(!this.isFull, 'a hit list has its capacity');
    const at = this.#imageIds.length;
    this.#distances[at] = list.distances[row] as number;
    this.#fineDistances[at] = list.fineDistances[row] as number;
    this.#tieKeys[at] = list.tieKeys[row] as bigint;
    this.#imageIds.push(list.imageIds[row] as string);
    if (groupKey !== undefined) this.#groupKeys.push(groupKey);
  }

  hits(): HitList {
    const count = this.#imageIds.length;
    const plain = {
      count,
      distances: this.#distances.slice(0, count),
      fineDistances: this.#fineDistances.slice(0, count),
      tieKeys: this.#tieKeys.slice(0, count),
      imageIds: this.#imageIds,
    };
    if (this.#groupKeys.length === 0) return plain;
    const groupKeys = new Uint8Array(count * GROUP_KEY_BYTES);
    this.#groupKeys.forEach((key, i) => groupKeys.set(key, i * GROUP_KEY_BYTES));
    return { ...plain, groupKeys };
  }
}
