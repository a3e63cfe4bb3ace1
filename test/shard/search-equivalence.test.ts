import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hammingDistance } from '../../src/core/code.js';
import { EMPTY_HIT_LIST, packHitList, type HitList } from '../../src/core/hit-list.js';
import { mergeHitLists } from '../../src/core/merge-hit-lists.js';
import { spreadPartitions } from '../../src/core/placement.js';
import { Random } from '../../src/core/random.js';
import { compareRanked } from '../../src/core/ranking.js';
import { tieKeyOf } from '../../src/core/tie-key.js';
import type { IndexQuery, Ranking } from '../../src/shard/index/shard-index.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { openLocalShard, type LocalShard } from './local-shard.js';
import { PARTITION_COUNT, randomCode, recordEntry, recordOf, removalEntry } from './records.js';

const MODEL = { modelVersion: 'c'.repeat(64), codeBits: 24, fineCodeBits: 32 } as const;

interface Image {
  readonly imageId: string;
  readonly code: Uint8Array;
  readonly fineCode: Uint8Array;
}

type QueryShape = Omit<IndexQuery, 'partitions' | 'fineCode' | 'filter' | 'after'> & {
  readonly fineCode: Uint8Array;
};

/** The plainest search: compare with everything, sort, cut. */
function bruteForce(images: readonly Image[], query: QueryShape): Buffer {
  const ranked = images
    .map(({ imageId, code, fineCode }) => ({
      id: imageId,
      distance: hammingDistance(code, query.code),
      fineDistance: query.ranking === 'FINE' ? hammingDistance(fineCode, query.fineCode) : 0,
      tieKey: tieKeyOf(imageId),
    }))
    .filter(({ distance }) => distance <= (query.maxDistance ?? Infinity))
    .sort(compareRanked)
    .slice(0, query.k);
  const hits: HitList = {
    count: ranked.length,
    distances: Uint16Array.from(ranked, ({ distance }) => distance),
    fineDistances: Uint16Array.from(ranked, ({ fineDistance }) => fineDistance),
    tieKeys: BigUint64Array.from(ranked, ({ tieKey }) => tieKey),
    imageIds: ranked.map(({ id }) => id),
  };
  return Buffer.from(packHitList(hits));
}

async function askAll(shards: readonly LocalShard[], query: QueryShape): Promise<Buffer> {
  const lists = await Promise.all(
    shards.map(async ({ search, applier }) => {
      const partitions = applier.partitions();
      if (partitions.length === 0) return EMPTY_HIT_LIST;
      return (await search.search({ ...query, partitions })).hits;
    }),
  );
  return Buffer.from(packHitList(mergeHitLists(lists, query.k)));
}

/** Shard servers with the partitions that a placement over them gives. */
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

describe('n shards merged', () => {
  it('answer the same bytes as one shard and as a brute force, over changes, rankings and limits', async () => {
    const plan = fc.record({
      seed: fc.integer(),
      imageCount: fc.integer({ min: 0, max: 300 }),
      // few distinct codes make long ties
      distinctCodes: fc.constantFrom(1, 3, 20, 1_000),
      changeCount: fc.integer({ min: 0, max: 120 }),
      shardCount: fc.integer({ min: 2, max: 5 }),
      k: fc.constantFrom(1, 2, 10, 100, 10_000),
      maxDistance: fc.option(fc.integer({ min: 0, max: MODEL.codeBits }), { nil: undefined }),
      ranking: fc.constantFrom<Ranking>('HAMMING', 'FINE'),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ seed, shardCount, ...settings }) => {
        const random = new Random(seed);
        const { entries, images } = randomLog(random, settings);
        const [one, many] = await Promise.all([openShards(1), openShards(shardCount)]);
        const all = [...one, ...many];
        try {
          for (let at = 0; at < entries.length; at += 50) {
            const batch = entries.slice(at, at + 50);
            await Promise.all(all.map(({ applier }) => applier.apply(batch)));
          }
          for (let i = 0; i < 3; i++) {
            const query: QueryShape = {
              code: randomCode(random, MODEL.codeBits),
              fineCode: randomCode(random, MODEL.fineCodeBits),
              k: settings.k,
              ranking: settings.ranking,
              ...(settings.maxDistance === undefined ? {} : { maxDistance: settings.maxDistance }),
            };
            const expected = bruteForce(images, query);
            assert.deepEqual(await askAll(one, query), expected);
            assert.deepEqual(await askAll(many, query), expected);
          }
        } finally {
          await Promise.all(all.map((shard) => shard.close()));
        }
      }),
      { numRuns: 12 },
    );
  });
});

/** A log of new images, updates and removals, and the images that it leaves. */
function randomLog(
  random: Random,
  settings: { imageCount: number; changeCount: number; distinctCodes: number },
) {
  const codes = Array.from({ length: settings.distinctCodes }, () => randomCode(random, MODEL.codeBits));
  const images = new Map<string, Image>();
  let revision = 0;
  const put = (imageId: string) => {
    revision++;
    const code = codes[random.integer(codes.length)] as Uint8Array;
    const fineCode = randomCode(random, MODEL.fineCodeBits);
    images.set(imageId, { imageId, code, fineCode });
    const record = recordOf(imageId, revision, code, {
      modelVersion: MODEL.modelVersion,
      fineCode: { bits: fineCode, codeBits: MODEL.fineCodeBits },
    });
    return recordEntry(revision, record);
  };
  const remove = (imageId: string) => {
    revision++;
    images.delete(imageId);
    return removalEntry(revision, imageId, revision);
  };
  const entries = Array.from({ length: settings.imageCount }, (_, i) => put(`image ${i}`));
  for (let i = 0; i < settings.changeCount && settings.imageCount > 0; i++) {
    const imageId = `image ${random.integer(settings.imageCount)}`;
    entries.push(random.integer(3) === 0 ? remove(imageId) : put(imageId));
  }
  return { entries, images: [...images.values()] };
}
