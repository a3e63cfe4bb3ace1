import { assert } from '../../core/errors.js';
import type { SearchFilter } from '../../core/search-filter.js';
import type { LogApplier } from '../apply/log-applier.js';
import type { AttributeField } from '../attributes/attribute-set.js';
import type { PassingSets } from '../attributes/filter-bitmap.js';
import { FilterCache } from '../attributes/filter-cache.js';
import type { IndexQuery, ShardIndex } from '../index/shard-index.js';
import type { RecordStore } from '../store/record-store.js';
import { modelTagOf } from '../store/tie-entry.js';
import { searchBehind, type HitPlace } from './hit-place.js';
import { resolveHits, type ResolvedHits, type ShownHits } from './resolve-hits.js';
import { searchGroups } from './search-groups.js';

export interface PartitionSearchOptions {
  readonly store: RecordStore;
  readonly index: ShardIndex;
  readonly applier: LogApplier;
  readonly modelVersion: string;
}

/** A search of some partitions: k images, or k groups by their nearest images. */
export interface PartitionQuery extends Omit<IndexQuery, 'filter' | 'after'> {
  /** @default every image passes */
  readonly filter?: SearchFilter;
  /** The field whose values are the groups. @default every image is a result; not together with `after` */
  readonly groupBy?: AttributeField;
  /** Only images behind it. @default from the first */
  readonly after?: HitPlace;
}

export interface FoundHits extends ShownHits {
  /** Time in the index, waiting for a thread included. */
  readonly searchMs: number;
}

/** Tries beside the stream of changes before a search makes it stand still. */
const FREE_ATTEMPTS = 3;

/**
 * Exact search over index and store together: the answer is that of one state of each partition, with the ids of that
 * state, none twice. Where a change got in between the index's answer and the reading of its ids, or between the rounds
 * of a grouped search, the search is done again; after FREE_ATTEMPTS it is done while changes wait, which cannot fail.
 */
export class PartitionSearch {
  readonly #options: PartitionSearchOptions;
  readonly #modelTag: bigint;
  readonly #filters: FilterCache;

  constructor(options: PartitionSearchOptions) {
    this.#options = options;
    this.#modelTag = modelTagOf(options.modelVersion);
    this.#filters = new FilterCache(options.applier.attributes);
  }

  /** @throws KinscanError as ShardIndex.search does; CORRUPT_RECORD */
  async search(query: PartitionQuery): Promise<FoundHits> {
    const { applier } = this.#options;
    const time = { searchMs: 0 };
    for (let attempt = 0; attempt < FREE_ATTEMPTS; attempt++) {
      const shown = await this.#searchBeside(query, time);
      if (shown !== undefined) return { ...shown, ...time };
    }
    const shown = await applier.exclusively(() => this.#searchOnce(query, this.#passing(query), time));
    assert(shown !== undefined, 'index and store differ although nothing changes');
    return { ...shown, ...time };
  }

  /** Beside the stream of changes; undefined where one got in between that may show. */
  async #searchBeside(query: PartitionQuery, time: SearchTime): Promise<ShownHits | undefined> {
    const { applier } = this.#options;
    const isGrouped = query.groupBy !== undefined;
    if (isGrouped && applier.changeCount % 2 === 1) await applier.exclusively(() => Promise.resolve());
    const { changeCount } = applier;
    const passing = this.#passing(query);
    const shown = await this.#searchOnce(query, passing, time);
    // a new set may be that of an image whose old row is gone and whose new row the filter knows nothing of
    if (passing !== undefined && passing.sets !== applier.attributes.size) return undefined;
    // rounds, and the groups of their hits, must be of one state
    if (isGrouped && changeCount !== applier.changeCount) return undefined;
    return shown;
  }

  #passing({ filter }: PartitionQuery): PassingSets | undefined {
    return filter && this.#filters.passing(filter);
  }

  async #searchOnce(
    { filter: _, groupBy, after, ...query }: PartitionQuery,
    filter: PassingSets | undefined,
    time: SearchTime,
  ): Promise<ShownHits | undefined> {
    const find = async (k: number, passing = filter, place = after): Promise<ResolvedHits | undefined> => {
      const indexQuery = { ...query, k, ...(passing && { filter: passing }) };
      if (place === undefined) return this.#find(indexQuery, time);
      return searchBehind(place, k, (some) => this.#find({ ...indexQuery, k: some, after: place }, time));
    };
    if (groupBy === undefined) return find(query.k);
    const { k, signal } = query;
    return searchGroups({ k, field: groupBy, table: this.#options.applier.attributes, filter, signal, find });
  }

  async #find(query: IndexQuery, time: SearchTime): Promise<ResolvedHits | undefined> {
    const startedMs = performance.now();
    const hits = await this.#options.index.search(query);
    time.searchMs += performance.now() - startedMs;
    return resolveHits(this.#options.store, hits, query, this.#modelTag);
  }
}

/** Milliseconds in the index so far, over all attempts. */
interface SearchTime {
  searchMs: number;
}
