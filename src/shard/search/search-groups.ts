import { GROUP_KEY_BYTES } from '../../core/hit-list.js';
import { HitListBuilder } from '../../core/hit-list-builder.js';
import type { AttributeField } from '../attributes/attribute-set.js';
import type { AttributeTable } from '../attributes/attribute-table.js';
import type { PassingSets } from '../attributes/filter-bitmap.js';
import { allSets, withoutValues } from '../attributes/without-values.js';
import { placeOf, type HitPlace } from './hit-place.js';
import type { ResolvedHits, ShownHits } from './resolve-hits.js';

/** Hits of the first round for each group wanted; a later round asks for twice as many as the one before. */
const HITS_PER_GROUP = 4;
/** Hits of one round. */
export const ROUND_HITS_MAX = 5_000;

export interface GroupSearchOptions {
  /** Groups wanted. */
  readonly k: number;
  readonly field: AttributeField;
  readonly table: AttributeTable;
  /** undefined: all. */
  readonly filter: PassingSets | undefined;
  readonly signal: AbortSignal | undefined;
  /** The first k images behind a place, of the sets given; undefined where index and store did not agree. */
  readonly find: (
    k: number,
    filter: PassingSets | undefined,
    after: HitPlace | undefined,
  ) => Promise<ResolvedHits | undefined>;
}

const OWN_GROUP = new Uint8Array(GROUP_KEY_BYTES);

/**
 * The k nearest groups, each by its nearest image, in rounds: take the next images, keep the first of each group, leave
 * out the groups found from then on.
 *
 * Every image up to the last one of a round is of a group that was found, or a group of its own; so all that is left to
 * find lies behind it, and each round that is full begins with a new group. At most k rounds, usually one or two.
 * @throws signal.reason
 */
export async function searchGroups(options: GroupSearchOptions): Promise<ShownHits | undefined> {
  const { k, field, table, signal, find } = options;
  const groups = new HitListBuilder(k);
  const summaries: Uint8Array[] = [];
  const found = new Set<number>();
  let { filter } = options;
  let after: HitPlace | undefined;
  for (let want = Math.min(k * HITS_PER_GROUP, ROUND_HITS_MAX); ; want = Math.min(want * 2, ROUND_HITS_MAX)) {
    signal?.throwIfAborted();
    const round = await find(want, filter, after);
    if (round === undefined) return undefined;
    const { hits, attributes } = round;
    const foundBefore = found.size;
    for (let row = 0; row < hits.count && !groups.isFull; row++) {
      const value = table.value(attributes[row] as number, field);
      if (value !== 0 && found.has(value)) continue;
      if (value !== 0) found.add(value);
      groups.take(hits, row, value === 0 ? OWN_GROUP : table.valueHash(value));
      summaries.push(round.summaries[row] as Uint8Array);
    }
    if (groups.isFull || hits.count < want) return { hits: groups.hits(), summaries };
    if (found.size > foundBefore) filter = withoutValues(filter ?? allSets(table), table, field, found);
    after = placeOf(hits, hits.count - 1);
  }
}
