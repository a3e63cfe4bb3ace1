import type { CodeDistribution } from './code-set.js';
import type { SearchBenchOptions, SearchBenchResult, SearchLatency } from './search.js';

/** What a measurement is held to, and what was seen. */
export interface Limit {
  readonly what: string;
  readonly asked: string;
  readonly seen: string;
  readonly holds: boolean;
}

/** FAISS over the index, at least: times by k. Of other k nothing is asked. */
const FAISS_TIMES: Partial<Record<CodeDistribution, ReadonlyMap<number, number>>> = {
  uniform: new Map([
    [10, 8],
    [100, 5],
  ]),
  clustered: new Map([
    [10, 100],
    [100, 100],
  ]),
};
const LINEAR_FAISS_TIMES = 4;
const LINEAR_READ_TIMES = 2.2;
const LINEAR_SHARE_MAX = 1.15;
const TIED_READ_TIMES = 2;
const MEMORY_FACTOR_MAX = 1.5;
const PAUSE_MS_MAX = 50;

/** The limits that these codes are held to; medians of one run. */
export function limitsOf(result: Omit<SearchBenchResult, 'limits'>, options: SearchBenchOptions): Limit[] {
  const { distribution, fineCodeBits } = options;
  const limits: Limit[] = [];
  for (const [i, { k, p50Ms }] of result.indexed.entries()) {
    const linear = result.linear[i] as SearchLatency;
    limits.push(atMost(`index over linear scan, k = ${k}`, p50Ms / linear.p50Ms, LINEAR_SHARE_MAX));
    if (distribution === 'uniform' && fineCodeBits === 0) {
      limits.push(
        atMost(`linear scan over plain read, k = ${k}`, linear.p50Ms / result.plainReadMs, LINEAR_READ_TIMES),
      );
    }
    const faiss = typeof result.faiss === 'string' ? undefined : result.faiss[i]?.p50Ms;
    if (faiss === undefined) continue;
    if (distribution === 'uniform' && fineCodeBits === 0) {
      limits.push(atLeast(`FAISS over linear scan, k = ${k}`, faiss / linear.p50Ms, LINEAR_FAISS_TIMES));
    }
    const times = FAISS_TIMES[distribution]?.get(k);
    if (times !== undefined) limits.push(atLeast(`FAISS over index, k = ${k}`, faiss / p50Ms, times));
  }
  if (distribution === 'few-codes' && result.tiedFineReadMs !== undefined) {
    const [first] = result.indexed;
    const ratio = (first?.p50Ms ?? Number.NaN) / result.tiedFineReadMs;
    limits.push(atMost(`FINE over a read of the tied fine codes, k = ${first?.k}`, ratio, TIED_READ_TIMES));
  }
  limits.push(
    atMost('resident memory over code + tie key + fine code', result.residentFactor, MEMORY_FACTOR_MAX),
  );
  result.residentFactorsAfterCycles.forEach((factor, i) => {
    limits.push(atMost(`the same after ${i + 1} upsert cycles`, factor, MEMORY_FACTOR_MAX));
  });
  limits.push(atMost('longest pause of the event loop, ms', result.longestPauseMs, PAUSE_MS_MAX));
  return limits;
}

export function atMost(what: string, value: number, limit: number): Limit {
  return { what, asked: `<= ${limit}`, seen: value.toFixed(2), holds: value <= limit };
}

function atLeast(what: string, value: number, limit: number): Limit {
  return { what, asked: `>= ${limit}`, seen: value.toFixed(2), holds: value >= limit };
}
