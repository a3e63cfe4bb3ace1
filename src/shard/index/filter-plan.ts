import { allowedNumbers, isSetAllowed, type AllowedSets } from './allowed-sets.js';
import { scanCostNs } from './probe-cost.js';
import type { ProbeMode } from './probe-plan.js';
import type { SegmentLayout } from './segment-layout.js';

/**
 * What things cost, in nanoseconds, as in probe-plan.ts: wrong figures cost time, never an answer.
 * A row listed misses the cache several times; where codes have groups, its group is found by a binary search.
 */
const LISTED_ROW_NS = 80;
const GROUP_SEARCH_STEP_NS = 6;
/** Testing whether a row of a near code is allowed. */
const TEST_NS = 3;
/** A step of the binary search for a set, and looking at one set in a sweep over all. */
const LOOKUP_STEP_NS = 5;
const SWEEP_NS = 4;
/** Rows tested over k / (share allowed): the threshold has to come down first. */
const TESTS_FACTOR = 4;
/** Finding out how many rows are allowed may take this share of what is expected without knowing it. */
const LOOKUP_SHARE = 0.1;
/** Rows are listed where that is expected to take at most this share of the other way. */
const LIST_SHARE = 0.85;
/** More allowed sets than this are not looked up one by one. */
const LOOKUPS_MAX = 4_096;

/**
 * How one query's filter is met in each segment: by testing rows of near codes, whether they are found by scan or by
 * probing, or, where few rows are allowed, by listing just these. Both ways are exact.
 */
export class FilterPlan {
  readonly #allowed: AllowedSets;
  readonly #k: number;
  readonly #mode: ProbeMode;
  /** The allowed sets; undefined where they are many. */
  readonly #numbers: Uint32Array | undefined;

  /** @param mode 'always': list rows wherever it can be done; 'never': test them */
  constructor(allowed: AllowedSets, k: number, mode: ProbeMode) {
    this.#allowed = allowed;
    this.#k = k;
    this.#mode = mode;
    this.#numbers = allowed.count <= LOOKUPS_MAX ? allowedNumbers(allowed) : undefined;
  }

  /**
   * Which rows of the base to list instead of scanning its codes: pairs (from, to) of places in attributeOrder.
   * @returns undefined where the base is to be scanned or probed
   */
  rowsToList(layout: SegmentLayout, words: Uint32Array): readonly number[] | undefined {
    if (layout.attributeSets === 0) return isSetAllowed(this.#allowed, 0) ? undefined : [];
    if (!this.#isWorthLookingUp(layout)) return undefined;
    const ranges = this.#isLookupCheaper(layout)
      ? rangesOfNumbers(layout, words, this.#numbers as Uint32Array)
      : rangesBySweep(layout, words, this.#allowed);
    return this.#isWorthListing(layout, ranges) ? ranges : undefined;
  }

  // Nothing is known yet but how many sets are allowed: as if all sets had the same number of rows.
  #isWorthLookingUp(layout: SegmentLayout): boolean {
    if (this.#mode !== 'auto') return this.#mode === 'always';
    const { count, sets } = this.#allowed;
    const expectedRows = (layout.baseRows * count) / Math.max(sets, count);
    return this.#lookupNs(layout) <= LOOKUP_SHARE * this.#generalNs(layout, expectedRows);
  }

  #isWorthListing(layout: SegmentLayout, ranges: readonly number[]): boolean {
    if (this.#mode === 'always') return true;
    let rows = 0;
    for (let i = 0; i < ranges.length; i += 2) rows += (ranges[i + 1] as number) - (ranges[i] as number);
    const searchSteps = layout.grouped ? Math.log2(layout.groups + 1) : 0;
    const listNs = rows * (LISTED_ROW_NS + searchSteps * GROUP_SEARCH_STEP_NS);
    return listNs <= LIST_SHARE * this.#generalNs(layout, rows);
  }

  #isLookupCheaper(layout: SegmentLayout): boolean {
    return this.#numbers !== undefined && this.#lookupsNs(layout) < layout.attributeSets * SWEEP_NS;
  }

  #lookupsNs({ attributeSets }: SegmentLayout): number {
    return this.#allowed.count * Math.log2(attributeSets + 1) * LOOKUP_STEP_NS;
  }

  #lookupNs(layout: SegmentLayout): number {
    return this.#isLookupCheaper(layout) ? this.#lookupsNs(layout) : layout.attributeSets * SWEEP_NS;
  }

  // Scanning the base where `rows` of its rows are allowed.
  #generalNs({ baseRows, groups, codeWords }: SegmentLayout, rows: number): number {
    const tests = rows === 0 ? baseRows : Math.min(baseRows, (TESTS_FACTOR * this.#k * baseRows) / rows);
    return scanCostNs(groups, codeWords) + tests * TEST_NS;
  }
}

function rangesOfNumbers(layout: SegmentLayout, words: Uint32Array, numbers: Uint32Array): number[] {
  const first = layout.attributeNumbers / 4;
  const starts = layout.attributeStarts / 4;
  const ranges: number[] = [];
  let at = 0;
  for (const number of numbers) {
    let high = layout.attributeSets;
    while (at < high) {
      const middle = (at + high) >>> 1;
      if ((words[first + middle] as number) < number) at = middle + 1;
      else high = middle;
    }
    if (at === layout.attributeSets) break;
    if (words[first + at] !== number) continue;
    ranges.push(words[starts + at] as number, words[starts + at + 1] as number);
  }
  return ranges;
}

function rangesBySweep(layout: SegmentLayout, words: Uint32Array, allowed: AllowedSets): number[] {
  const first = layout.attributeNumbers / 4;
  const starts = layout.attributeStarts / 4;
  const ranges: number[] = [];
  for (let i = 0; i < layout.attributeSets; i++) {
    if (!isSetAllowed(allowed, words[first + i] as number)) continue;
    ranges.push(words[starts + i] as number, words[starts + i + 1] as number);
  }
  return ranges;
}
