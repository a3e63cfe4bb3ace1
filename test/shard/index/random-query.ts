import { hammingDistance } from '../../../src/core/code.js';
import type { IndexFilter, IndexPlace, IndexQuery } from '../../../src/shard/index/index-api.js';
import type { RandomGallery } from './random-gallery.js';
import type { SeededRandom } from './random-rows.js';

/** A query without the partitions, which differ from index to index. */
export type OpenQuery = Omit<IndexQuery, 'partitions'> & { readonly fineCode: Uint8Array };

/** Any query: member or stranger, few or many answers, with or without limit, filter and cursor. */
export function randomQuery(random: SeededRandom, gallery: RandomGallery, codeBits: number): OpenQuery {
  const { rows, source } = gallery;
  const isMember = rows.length > 0 && random.below(3) === 0;
  const query: OpenQuery = {
    code: isMember ? random.pick(rows).row.code : source.code(),
    fineCode: source.fineCode(),
    k: random.pick([1, 10, 1 + random.below(100), 1 + random.below(10_000), 10_000]),
    ranking: random.pick(['HAMMING', 'FINE']),
    ...(random.below(3) === 0 ? { maxDistance: random.below(codeBits + 1) } : {}),
    ...(random.below(2) === 0 ? { filter: randomFilter(random, source.attributeSets) } : {}),
  };
  return random.below(3) === 0 ? { ...query, after: randomPlace(random, gallery, query, codeBits) } : query;
}

// Every selectivity from nothing to everything; made for all sets, or for fewer than there are by now.
function randomFilter(random: SeededRandom, setsNow: number): IndexFilter {
  const sets = random.pick([0, 1, setsNow, setsNow, setsNow, 1 + random.below(setsNow), setsNow + 100]);
  const allowed = new Uint32Array(Math.ceil(sets / 32));
  if (random.below(8) === 0) allowed.fill(0xffff_ffff);
  const draws = random.pick([0, 1, 1, 3, 10, random.below(sets + 1), sets * 3]);
  for (let i = sets === 0 ? 0 : draws; i > 0; i--) {
    const set = random.below(sets);
    allowed[set >>> 5] = (allowed[set >>> 5] as number) ^ (1 << (set & 31));
  }
  return { allowed, sets };
}

// The place of a row, just before or behind it, or any.
function randomPlace(
  random: SeededRandom,
  { rows }: RandomGallery,
  query: OpenQuery,
  codeBits: number,
): IndexPlace {
  if (rows.length === 0 || random.below(4) === 0) {
    return {
      distance: random.below(codeBits + 2),
      fineDistance: random.pick([0, random.below(64)]),
      tieKey: random.pick([0n, 2n ** 64n - 1n, random.tieKey()]),
    };
  }
  const { row } = random.pick(rows);
  const tieKey = row.tieKey + random.pick([0n, 0n, 1n, -1n]);
  return {
    distance: hammingDistance(row.code, query.code),
    fineDistance: query.ranking === 'FINE' ? hammingDistance(row.fineCode, query.fineCode) : 0,
    tieKey: BigInt.asUintN(64, tieKey),
  };
}
