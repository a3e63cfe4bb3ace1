import type { IndexRow } from './index-api.js';
import { bytesEqual } from './code-bytes.js';
import type { SegmentLayout } from './segment-layout.js';

/** What of a segment the lookup reads. */
export interface BaseView {
  readonly layout: SegmentLayout;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  isDead(row: number): boolean;
}

/**
 * The number of a live row of the base with this identity, and not one of `taken`; undefined where there is none.
 * Codes ascend, and within a code the tie keys: two binary searches. Main thread only.
 */
export function findBaseRow(
  segment: BaseView,
  row: IndexRow,
  taken: ReadonlySet<number>,
): number | undefined {
  const { layout, words } = segment;
  if (layout.baseRows === 0) return undefined;
  const code = wordHalves(row.code, layout.codeWords);
  const first = lowerBound(0, layout.groups, (group) =>
    compareCodes(words, layout.codes / 4 + group * code.length, code),
  );
  let from = first;
  let to: number;
  if (layout.grouped) {
    if (first === layout.groups || compareCodes(words, layout.codes / 4 + first * code.length, code) !== 0)
      return undefined;
    from = words[layout.starts / 4 + first] as number;
    to = words[layout.starts / 4 + first + 1] as number;
  } else {
    to = lowerBound(
      first,
      layout.groups,
      (i) => compareCodes(words, layout.codes / 4 + i * code.length, code) - 1,
    );
  }
  const high = Number(row.tieKey >> 32n);
  const low = Number(row.tieKey & 0xffff_ffffn);
  const compareKey = (i: number): number => {
    const at = layout.tieKeys / 4 + i * 2;
    return (words[at + 1] as number) - high || (words[at] as number) - low;
  };
  for (let i = lowerBound(from, to, compareKey); i < to && compareKey(i) === 0; i++) {
    if (segment.isDead(i) || taken.has(i)) continue;
    if (baseAttributes(segment, i) !== row.attributes) continue;
    if (bytesEqual(segment.bytes, layout.fines + i * layout.fineWords * 8, row.fineCode)) return i;
  }
  return undefined;
}

/** The number of a base row's attribute set. */
export function baseAttributes({ layout, words }: Pick<BaseView, 'layout' | 'words'>, row: number): number {
  return layout.attributeSets === 0 ? 0 : (words[layout.attributes / 4 + row] as number);
}

/** A code as 32-bit halves of its zero-padded 64-bit words, low half first. */
export function wordHalves(code: Uint8Array, codeWords: number): Uint32Array {
  const padded = new Uint8Array(codeWords * 8);
  padded.set(code);
  return new Uint32Array(padded.buffer);
}

// The order of codes in a base: as unsigned 64-bit words, the first word most significant. -1, 0 or 1.
function compareCodes(words: Uint32Array, at: number, code: Uint32Array): number {
  for (let w = 0; w < code.length; w += 2) {
    const high = (words[at + w + 1] as number) - (code[w + 1] as number);
    if (high !== 0) return Math.sign(high);
    const low = (words[at + w] as number) - (code[w] as number);
    if (low !== 0) return Math.sign(low);
  }
  return 0;
}

// The first i in [from, to) with compare(i) >= 0, or `to`.
function lowerBound(from: number, to: number, compare: (i: number) => number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(middle) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
