import { atMost, type Limit } from './search-limits.js';
import { measureIndexAlone, type SearchBenchOptions, type SearchLatency } from './search.js';

export interface SearchGrowthResult {
  readonly sizes: readonly { readonly rows: number; readonly indexed: readonly SearchLatency[] }[];
  readonly limits: readonly Limit[];
}

/** Sizes over the gallery asked for. */
const SIZES = [0.1, 1, 5];
/** How much longer a query may take on the largest than on the smallest. */
const GROWTH_MAX = 3;

/** How the latency of the index grows from a tenth of the gallery to five times it. */
export async function runSearchGrowth(options: SearchBenchOptions): Promise<SearchGrowthResult> {
  const sizes: { rows: number; indexed: SearchLatency[] }[] = [];
  for (const share of SIZES) {
    const rows = Math.round(options.rows * share);
    options.onStage?.(`${rows} codes`);
    sizes.push({ rows, indexed: await measureIndexAlone({ ...options, rows }) });
  }
  const limits = options.ks.map((k, i) => {
    const [least, most] = [sizes[0]?.indexed[i], sizes.at(-1)?.indexed[i]];
    const growth = (most?.p50Ms ?? Number.NaN) / (least?.p50Ms ?? Number.NaN);
    return atMost(
      `latency over ${(SIZES.at(-1) ?? 1) / (SIZES[0] ?? 1)} times the codes, k = ${k}`,
      growth,
      GROWTH_MAX,
    );
  });
  return { sizes, limits };
}
