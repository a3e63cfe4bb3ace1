import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { packHitList, type HitList } from '../../../src/core/hit-list.js';
import { mergeHitLists } from '../../../src/core/merge-hit-lists.js';
import type { IndexTuning } from '../../../src/shard/index/index-api.js';
import { openShardIndex, type ShardIndex } from '../../../src/shard/index/shard-index.js';
import { RandomGallery } from './random-gallery.js';
import { randomQuery, type OpenQuery } from './random-query.js';
import { SeededRandom } from './random-rows.js';
import { ReferenceIndex, type Answer } from './reference-index.js';

/** Answers compared with a full sort, over all code lengths together. */
const CASES = Number(process.env['KINSCAN_EXACTNESS_CASES'] ?? 1_000);
const SEED = Number(process.env['KINSCAN_SEED'] ?? Date.now() % 2 ** 31);

const LENGTHS: readonly (readonly [codeBits: number, fineCodeBits: number])[] = [
  [8, 0],
  [16, 256],
  [32, 64],
  [48, 256],
  [64, 0],
  [64, 512],
  [72, 8],
  [128, 256],
  [192, 128],
  [256, 256],
];

// Tiny bounds, so that small galleries have tables and are rebuilt all the time; the last has those of production.
const SMALL = { deltaRowsMin: 40, tableCodesMin: 4 };
const ON_THREADS = { ...SMALL, inlineRowsMax: 0 };
const TUNINGS: readonly IndexTuning[] = [
  { ...ON_THREADS, probe: 'always' },
  { ...ON_THREADS, probe: 'never', splitCodesMin: 20 },
  ON_THREADS,
  SMALL,
  { inlineRowsMax: 2_000 },
];

/** Changes between which a gallery is asked, and queries each time. */
const STEPS_MAX = 4;
const QUERIES_PER_STEP = 10;

/** What a server gives for a query, all partitions that it holds. */
async function ask(index: ShardIndex, query: OpenQuery): Promise<HitList> {
  const hits = await index.search({ ...query, partitions: index.partitions() });
  return { ...hits, imageIds: Array.from(hits.tieKeys, imageIdOf) };
}

// Tie keys are hashes of ids; the index knows no ids, so here an id is its tie key.
function imageIdOf(tieKey: bigint): string {
  return tieKey.toString(16).padStart(16, '0');
}

/** The plainest search: compare with everything, sort, cut. */
function fullSort({ rows }: RandomGallery, query: OpenQuery): HitList {
  const reference = new ReferenceIndex();
  const all = rows.map(({ row }) => row);
  reference.load(0, all);
  const answers: readonly Answer[] = reference.search({ ...query, partitions: [0] });
  return {
    count: answers.length,
    distances: Uint16Array.from(answers, ({ distance }) => distance),
    fineDistances: Uint16Array.from(answers, ({ fineDistance }) => fineDistance),
    tieKeys: BigUint64Array.from(answers, ({ tieKey }) => tieKey),
    imageIds: answers.map(({ tieKey }) => imageIdOf(tieKey)),
  };
}

/** Asks one gallery, up to `casesMax` times; how many times it was. */
async function askGallery(
  indexes: readonly ShardIndex[],
  [codeBits, fineCodeBits]: readonly [number, number],
  seed: number,
  casesMax: number,
): Promise<number> {
  const random = new SeededRandom(seed);
  const gallery = new RandomGallery(random, indexes, codeBits, fineCodeBits);
  await gallery.fill();
  let cases = 0;
  for (let step = 1 + random.below(STEPS_MAX); step > 0; step--) {
    if (random.below(3) > 0) await gallery.settle();
    // all at once, so that some of them travel together
    const queries = Array.from({ length: Math.min(QUERIES_PER_STEP, casesMax - cases) }, () =>
      randomQuery(random, gallery, codeBits),
    );
    const answers = await Promise.all(
      queries.map(async (query) => {
        const lists = await Promise.all(gallery.indexes.map((index) => ask(index, query)));
        return packHitList(mergeHitLists(lists, query.k));
      }),
    );
    queries.forEach((query, i) => {
      const expected = Buffer.from(packHitList(fullSort(gallery, query)));
      if (!expected.equals(answers[i] as Uint8Array)) {
        assert.fail(`seed ${seed}: not the bytes of a full sort: ${describeQuery(query)}`);
      }
    });
    cases += queries.length;
    await gallery.change();
  }
  await gallery.settle();
  gallery.drop();
  return cases;
}

function describeQuery({ filter, ...query }: OpenQuery): string {
  const values: unknown = { ...query, filter: filter && [...filter.allowed, 'of', filter.sets] };
  return JSON.stringify(values, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

describe(`answers of 1 to 5 shard indexes, merged (${CASES} cases, seed ${SEED})`, () => {
  for (const [position, lengths] of LENGTHS.entries()) {
    const [codeBits, fineCodeBits] = lengths;
    it(`are the bytes of a full sort, ${codeBits}-bit codes with ${fineCodeBits}-bit fine codes`, async () => {
      const indexes = await Promise.all(
        TUNINGS.map((tuning) => {
          return openShardIndex({ codeBits, fineCodeBits, searchThreads: 2, queueLengthMax: 100, tuning });
        }),
      );
      try {
        const casesMax = Math.ceil(CASES / LENGTHS.length);
        for (let cases = 0, seed = SEED + position * 1_000_003; cases < casesMax; seed++) {
          cases += await askGallery(indexes, lengths, seed, casesMax - cases);
        }
      } finally {
        await Promise.all(indexes.map((index) => index.close()));
      }
    });
  }
});
