/**
 * Collects what is added in one turn of the event loop and hands it on together, when the turn's input has been read:
 *
 *     add ─┐
 *     add ─┼──▶ handOn([a, b, c])
 *     add ─┘
 *
 * What comes alone waits for nothing but the end of its turn; under load turns are long, and so are batches.
 */
export class TurnBatch<Item> {
  readonly #itemsMax: number;
  readonly #handOn: (items: Item[]) => void;
  #items: Item[] = [];

  /** @param itemsMax a batch that is so long does not wait for the end of the turn */
  constructor(itemsMax: number, handOn: (items: Item[]) => void) {
    this.#itemsMax = itemsMax;
    this.#handOn = handOn;
  }

  add(item: Item): void {
    this.#items.push(item);
    if (this.#items.length >= this.#itemsMax) this.flush();
    else if (this.#items.length === 1) setImmediate(() => this.flush());
  }

  /** Hands on now what has been added. */
  flush(): void {
    const items = this.#items;
    if (items.length === 0) return;
    this.#items = [];
    this.#handOn(items);
  }
}
