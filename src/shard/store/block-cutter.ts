import { bytesPerRow, sealRows, type RowColumns, type RowWidths } from './row-block.js';
import { RowBuilder, type RowSink } from './row-builder.js';

const BLOCK_BYTES = 512 * 1024;

/** Cuts rows that ascend by tie key into sealed blocks of about 512 KiB. Rows with one tie key stay together. */
export class BlockCutter implements RowSink {
  readonly #widths: RowWidths;
  readonly #rowsPerBlock: number;
  readonly #builder: RowBuilder;
  #finished: Buffer[] = [];
  #rows = 0;

  constructor(widths: RowWidths, blockBytes = BLOCK_BYTES) {
    this.#widths = widths;
    this.#rowsPerBlock = Math.max(1, Math.floor(blockBytes / bytesPerRow(widths)));
    this.#builder = new RowBuilder(widths, this.#rowsPerBlock);
  }

  /** Rows taken so far. */
  get rows(): number {
    return this.#rows;
  }

  append(source: RowColumns, from: number, to: number): void {
    this.#rows += to - from;
    while (from < to) {
      const room = this.#rowsPerBlock - this.#builder.count;
      if (room <= 0 && !this.#continuesKey(source, from)) this.#cut();
      const until = room > 0 ? Math.min(to, from + room) : from + 1;
      this.#builder.append(source, from, until);
      from = until;
    }
  }

  /** The blocks that are complete since the last call. */
  takeFinished(): Buffer[] {
    const finished = this.#finished;
    this.#finished = [];
    return finished;
  }

  /** After the last row. */
  end(): void {
    if (this.#builder.count > 0) this.#cut();
  }

  #cut(): void {
    this.#finished.push(sealRows(this.#builder.columns(), this.#widths));
    this.#builder.clear();
  }

  // Whether a row has the tie key of the row before it.
  #continuesKey(source: RowColumns, row: number): boolean {
    const { tieKeys, count } = this.#builder.columns();
    for (let i = 0; i < 8; i++) {
      if (tieKeys[(count - 1) * 8 + i] !== source.tieKeys[row * 8 + i]) return false;
    }
    return true;
  }
}
