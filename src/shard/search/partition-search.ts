import { assert } from '../../core/errors.js';
import type { HitList } from '../../core/hit-list.js';
import type { LogApplier } from '../apply/log-applier.js';
import type { IndexQuery, ShardIndex } from '../index/shard-index.js';
import type { RecordStore } from '../store/record-store.js';
import { modelTagOf } from '../store/tie-entry.js';
import { resolveHits } from './resolve-hits.js';

export interface PartitionSearchOptions {
  readonly store: RecordStore;
  readonly index: ShardIndex;
  readonly applier: LogApplier;
  readonly modelVersion: string;
}

export interface FoundHits {
  readonly hits: HitList;
  /** Time in the index, waiting for a thread included. */
  readonly searchMs: number;
}

/** Tries beside the stream of changes before a search makes it stand still. */
const FREE_ATTEMPTS = 3;

/**
 * Exact search over index and store together: the answer is that of one state of each partition, with the ids of that
 * state, none twice. Where a change got in between the index's answer and the reading of its ids, the search is done
 * again; after FREE_ATTEMPTS it is done while changes wait, which cannot fail.
 */
export class PartitionSearch {
  readonly #options: PartitionSearchOptions;
  readonly #modelTag: bigint;

  constructor(options: PartitionSearchOptions) {
    this.#options = options;
    this.#modelTag = modelTagOf(options.modelVersion);
  }

  /** @throws KinscanError as ShardIndex.search does; CORRUPT_RECORD */
  async search(query: IndexQuery): Promise<FoundHits> {
    for (let attempt = 0; attempt < FREE_ATTEMPTS; attempt++) {
      const found = await this.#searchOnce(query);
      if (found !== undefined) return found;
    }
    const found = await this.#options.applier.exclusively(() => this.#searchOnce(query));
    assert(found !== undefined, 'index and store differ although nothing changes');
    return found;
  }

  async #searchOnce(query: IndexQuery): Promise<FoundHits | undefined> {
    const startedMs = performance.now();
    const indexHits = await this.#options.index.search(query);
    const searchMs = performance.now() - startedMs;
    const hits = await resolveHits(this.#options.store, indexHits, query, this.#modelTag);
    return hits && { hits, searchMs };
  }
}
