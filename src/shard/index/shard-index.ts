import type { ShardIndex, ShardIndexOptions } from './index-api.js';
import { KinscanError } from '../../core/errors.js';
export type * from './index-api.js';

/** Starts the search threads and returns an empty index. */
export function openShardIndex(options: ShardIndexOptions): Promise<ShardIndex> {
  return Promise.reject(new KinscanError('INTERNAL', `not yet ${options.codeBits}`));
}
