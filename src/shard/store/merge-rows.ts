import { KinscanError } from '../../core/errors.js';
import type { RowColumns, RowWidths } from './row-block.js';
import { RowBuilder, type RowSink } from './row-builder.js';
import type { JournalEntry } from './row-journal.js';
import { TieKeyOrder, tieKeyWords } from './tie-key-order.js';

/** One row of some columns. */
interface RowRef {
  readonly columns: RowColumns;
  readonly row: number;
}

/**
 * Brings rows that are stored up to date with a journal, a block at a time:
 *
 *     blocks   │ ..7 │ 9 .. 20 │ 21 .. │   ascending by tie key    ─┐
 *                                                                   ├─▶ sink, ascending by tie key
 *     journal  │ +12 │ -7 │ +7' │ ...  │   sorted by tie key       ─┘
 *
 * Runs of rows between two changed tie keys are copied as they are. Rows are a multiset, as in the index. All rows of a
 * tie key lie in one block.
 *
 * Nearly all changes are additions of images that are new. Where the order does not matter, those come at the end, and
 * blocks that nothing was taken from are passed on in one piece. No block makes more rows than it has then.
 */
export class RowMerger {
  readonly #widths: RowWidths;
  readonly #newRows: 'in order' | 'at the end';
  readonly #builder: RowBuilder;
  readonly #isRemoval: boolean[] = [];
  /** Additions that come at the end. */
  readonly #later: number[] = [];
  #removals = 0;
  #changes: RowColumns | undefined;
  #words: Uint32Array = new Uint32Array(0);
  #order = new TieKeyOrder(this.#words);
  #next = 0;

  constructor(widths: RowWidths, newRows: 'in order' | 'at the end' = 'in order') {
    this.#widths = widths;
    this.#newRows = newRows;
    this.#builder = new RowBuilder(widths, 1_024);
  }

  /** Rows removed and added by the entries so far. */
  get changedRows(): number {
    return this.#builder.count;
  }

  /** Takes the next entry of the journal; all of them before the first block. */
  addChanges({ rows, removedCount }: JournalEntry): void {
    this.#builder.append(rows, 0, rows.count);
    this.#removals += removedCount;
    for (let row = 0; row < rows.count; row++) this.#isRemoval.push(row < removedCount);
  }

  /** Merges the next block. @throws KinscanError CORRUPT_RECORD where a removed row is not there */
  merge(block: RowColumns, sink: RowSink): void {
    if (this.#addsOnly()) return sink.append(block, 0, block.count);
    const changes = this.#sortedChanges();
    if (this.#next === this.#order.length) return sink.append(block, 0, block.count);
    const words = tieKeyWords(block);
    let at = 0;
    while (this.#next < this.#order.length) {
      const change = this.#order.at(this.#next);
      const low = this.#words[change * 2] as number;
      const high = this.#words[change * 2 + 1] as number;
      if (block.count === 0 || compareKey(words, block.count - 1, high, low) < 0) break;
      if (this.#newRows === 'at the end' && this.#isLoneAddition(change)) {
        this.#later.push(change);
        this.#next++;
        continue;
      }
      const from = lowerBound(words, at, block.count, high, low);
      if (from > at) sink.append(block, at, from);
      at = from;
      while (at < block.count && compareKey(words, at, high, low) === 0) at++;
      this.#applyChanges({ block, from, to: at }, changes, sink);
    }
    if (at < block.count) sink.append(block, at, block.count);
  }

  /** After the last block: what the journal has beyond it. @throws KinscanError CORRUPT_RECORD */
  finish(sink: RowSink): void {
    if (this.#addsOnly()) return sink.append(this.#builder.columns(), 0, this.#builder.count);
    const changes = this.#sortedChanges();
    for (const row of this.#later.splice(0)) sink.append(changes, row, row + 1);
    while (this.#next < this.#order.length) this.#applyChanges(undefined, changes, sink);
  }

  // Whether the changes can be passed on as they are.
  #addsOnly(): boolean {
    return this.#newRows === 'at the end' && this.#removals === 0;
  }

  #sortedChanges(): RowColumns {
    if (this.#changes === undefined) {
      this.#changes = this.#builder.columns();
      this.#words = tieKeyWords(this.#changes);
      this.#order = new TieKeyOrder(this.#words);
    }
    return this.#changes;
  }

  // Applies all changes of the next changed tie key to the rows that have it.
  #applyChanges(
    stored: { readonly block: RowColumns; readonly from: number; readonly to: number } | undefined,
    changes: RowColumns,
    sink: RowSink,
  ): void {
    const first = this.#order.at(this.#next);
    if ((stored === undefined || stored.from === stored.to) && this.#isLoneAddition(first)) {
      this.#next++;
      return sink.append(changes, first, first + 1);
    }
    const live: RowRef[] = [];
    if (stored !== undefined) {
      for (let row = stored.from; row < stored.to; row++) live.push({ columns: stored.block, row });
    }
    for (; this.#next < this.#order.length; this.#next++) {
      const row = this.#order.at(this.#next);
      if (!this.#sameKey(first, row)) break;
      const change = { columns: changes, row };
      if (this.#isRemoval[row] !== true) {
        live.push(change);
        continue;
      }
      const removed = live.findIndex((other) => sameRow(other, change, this.#widths));
      if (removed < 0) throw new KinscanError('CORRUPT_RECORD', 'stored rows and their journal do not agree');
      live.splice(removed, 1);
    }
    // what is left of the block comes first, so the rows beyond its number are of the journal
    const room = stored && this.#newRows === 'at the end' ? stored.to - stored.from : Infinity;
    live.forEach(({ columns, row }, i) => {
      if (i < room) sink.append(columns, row, row + 1);
      else this.#later.push(row);
    });
  }

  // Whether the next change is an addition and no other has its tie key: nearly all are.
  #isLoneAddition(row: number): boolean {
    if (this.#isRemoval[row] === true) return false;
    return this.#next + 1 === this.#order.length || !this.#sameKey(row, this.#order.at(this.#next + 1));
  }

  #sameKey(a: number, b: number): boolean {
    return this.#words[a * 2] === this.#words[b * 2] && this.#words[a * 2 + 1] === this.#words[b * 2 + 1];
  }
}

/** Below 0 where the row's tie key is less than (high, low). */
function compareKey(words: Uint32Array, row: number, high: number, low: number): number {
  return (words[row * 2 + 1] as number) - high || (words[row * 2] as number) - low;
}

/** The first row from `from` on with this tie key or a greater one. */
function lowerBound(words: Uint32Array, from: number, to: number, high: number, low: number): number {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (compareKey(words, middle, high, low) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Whether two rows with one tie key are the same in all else. */
function sameRow(a: RowRef, b: RowRef, { codeBytes, fineCodeBytes }: RowWidths): boolean {
  return (
    sameBytes(a.columns.attributes, a.row, b.columns.attributes, b.row, 4) &&
    sameBytes(a.columns.codes, a.row, b.columns.codes, b.row, codeBytes) &&
    sameBytes(a.columns.fineCodes, a.row, b.columns.fineCodes, b.row, fineCodeBytes)
  );
}

function sameBytes(a: Uint8Array, rowA: number, b: Uint8Array, rowB: number, width: number): boolean {
  for (let i = 0; i < width; i++) if (a[rowA * width + i] !== b[rowB * width + i]) return false;
  return true;
}
