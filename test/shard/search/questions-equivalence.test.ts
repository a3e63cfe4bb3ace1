import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EMPTY_HIT_LIST, packHitList, unpackHitList, type HitList } from '../../../src/core/hit-list.js';
import { mergeHitLists } from '../../../src/core/merge-hit-lists.js';
import { spreadPartitions } from '../../../src/core/placement.js';
import { Random } from '../../../src/core/random.js';
import { placeOf, type HitPlace } from '../../../src/shard/search/hit-place.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';
import { openLocalShard, type LocalShard } from '../local-shard.js';
import { PARTITION_COUNT, randomCode, recordEntry, recordOf, removalEntry } from '../records.js';
import { plainSearch, type PlainHit, type PlainImage, type PlainQuery } from './plain-search.js';
import { randomFilter, randomMetadata } from './random-metadata.js';

const MODEL = { modelVersion: 'c'.repeat(64), codeBits: 16, fineCodeBits: 16 } as const;
const GROUPS = [undefined, undefined, 'studyInstanceUid', 'seriesInstanceUid', 'patientHash'] as const;

/** What a coordinator does: every shard server's list over the wire, merged. */
async function askAll(shards: readonly LocalShard[], query: PlainQuery, after?: HitPlace): Promise<HitList> {
  const lists = await Promise.all(
    shards.map(async ({ search, applier }) => {
      const partitions = applier.partitions();
      if (partitions.length === 0) return EMPTY_HIT_LIST;
      const { fineCode, filter, groupBy, ...plain } = query;
      const { hits } = await search.search({
        ...plain,
        partitions,
        ranking: fineCode === undefined ? 'HAMMING' : 'FINE',
        ...(fineCode && { fineCode }),
        ...(filter && { filter }),
        ...(groupBy && { groupBy }),
        ...(after && { after }),
      });
      return unpackHitList(packHitList(hits));
    }),
  );
  return mergeHitLists(lists, query.k);
}

/** Every page of a range search, one after the other. */
async function allPages(shards: readonly LocalShard[], query: PlainQuery): Promise<PlainHit[]> {
  const hits: PlainHit[] = [];
  let after: HitPlace | undefined;
  for (;;) {
    const page = await askAll(shards, query, after);
    hits.push(...rowsOf(page));
    if (page.count < query.k) return hits;
    after = placeOf(page, page.count - 1);
  }
}

function rowsOf(hits: HitList): PlainHit[] {
  return hits.imageIds.map((id, i) => {
    const { imageId: _, ...place } = placeOf(hits, i);
    return { id, ...place };
  });
}

async function openShards(count: number): Promise<LocalShard[]> {
  const ids = Array.from({ length: count }, (_, i) => `s${i}`);
  const { replicas } = spreadPartitions(ids, PARTITION_COUNT);
  return Promise.all(
    ids.map(async (id) => {
      const partitions = replicas.flatMap((servers, partition) => (servers.includes(id) ? [partition] : []));
      return openLocalShard(await temporaryFolder(), { model: MODEL, partitions });
    }),
  );
}

/** A log of new images, updates (also of the metadata alone) and removals, and what it leaves. */
function randomLog(random: Random, imageCount: number, distinctCodes: number, absentOneIn: number) {
  const codes = Array.from({ length: distinctCodes }, () => randomCode(random, MODEL.codeBits));
  const images = new Map<string, PlainImage>();
  let revision = 0;
  const put = (imageId: string) => {
    revision++;
    const before = images.get(imageId);
    const keepsCodes = before !== undefined && random.integer(2) === 0;
    const code = keepsCodes ? before.code : (codes[random.integer(codes.length)] as Uint8Array);
    const fineCode = keepsCodes ? before.fineCode : randomCode(random, MODEL.fineCodeBits);
    const metadata = randomMetadata(random, absentOneIn);
    images.set(imageId, { imageId, code, fineCode, metadata });
    const fine = { bits: fineCode, codeBits: MODEL.fineCodeBits };
    const record = { modelVersion: MODEL.modelVersion, fineCode: fine, metadata };
    return recordEntry(revision, recordOf(imageId, revision, code, record));
  };
  const remove = (imageId: string) => {
    revision++;
    images.delete(imageId);
    return removalEntry(revision, imageId, revision);
  };
  const entries = Array.from({ length: imageCount }, (_, i) => put(`image ${i}`));
  for (let i = 0; i < imageCount / 2; i++) {
    const imageId = `image ${random.integer(imageCount)}`;
    entries.push(random.integer(4) === 0 ? remove(imageId) : put(imageId));
  }
  return { entries, images: () => [...images.values()] };
}

describe('filtered, grouped and paged searches', () => {
  it('answer as a plain sort does, however many shard servers there are, over changes', async () => {
    const plan = fc.record({
      seed: fc.integer(),
      imageCount: fc.integer({ min: 0, max: 250 }),
      distinctCodes: fc.integer({ min: 1, max: 12 }),
      shardCount: fc.integer({ min: 2, max: 5 }),
      // few images of no group make groups take several rounds
      absentOneIn: fc.constantFrom(4, 30),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ seed, imageCount, distinctCodes, shardCount, absentOneIn }) => {
        const random = new Random(seed);
        const { entries, images } = randomLog(random, imageCount, distinctCodes, absentOneIn);
        const [one, many] = [await openShards(1), await openShards(shardCount)];
        const all = [...one, ...many];
        try {
          while (entries.length > 0) {
            const batch = entries.splice(0, 1 + random.integer(60));
            await Promise.all(all.map(({ applier }) => applier.apply(batch)));
          }
          for (let i = 0; i < 12; i++) {
            const query: PlainQuery = {
              code: randomCode(random, MODEL.codeBits),
              fineCode: random.integer(2) === 0 ? undefined : randomCode(random, MODEL.fineCodeBits),
              k: 1 + random.integer(random.integer(2) === 0 ? 8 : 80),
              maxDistance: random.integer(3) === 0 ? random.integer(9) : MODEL.codeBits,
              filter: random.integer(3) === 0 ? undefined : randomFilter(random),
              groupBy: GROUPS[random.integer(GROUPS.length)],
            };
            const expected = plainSearch(images(), query);
            const lists = [await askAll(one, query), await askAll(many, query)];
            for (const list of lists) assert.deepEqual(rowsOf(list), expected);
            assert.deepEqual(lists[0]?.groupKeys, lists[1]?.groupKeys);
            const ungrouped = { ...query, groupBy: undefined };
            const everything = plainSearch(images(), { ...ungrouped, k: Infinity });
            assert.deepEqual(await allPages(many, ungrouped), everything);
          }
        } finally {
          await Promise.all(all.map((shard) => shard.close()));
        }
      }),
      { numRuns: 10 },
    );
  });
});
