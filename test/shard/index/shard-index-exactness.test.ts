import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type {
  IndexChange,
  IndexFilter,
  IndexPlace,
  IndexQuery,
  IndexRow,
} from '../../../src/shard/index/index-api.js';
import { openShardIndex, type ShardIndex } from '../../../src/shard/index/shard-index.js';
import { DISTRIBUTIONS, RowSource, SeededRandom } from './random-rows.js';
import { answersOf, packRows, ReferenceIndex } from './reference-index.js';

/** Cases per pair of code lengths; KINSCAN_INDEX_CASES raises it for a long run. */
const CASES = Number(process.env['KINSCAN_INDEX_CASES'] ?? 25);
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

interface Case {
  readonly index: ShardIndex;
  readonly reference: ReferenceIndex;
  readonly random: SeededRandom;
  readonly source: RowSource;
  readonly partitions: readonly number[];
}

function loadCase(index: ShardIndex, random: SeededRandom, codeBits: number, fineCodeBits: number): Case {
  const source = new RowSource(random, codeBits, fineCodeBits, random.pick(DISTRIBUTIONS));
  const reference = new ReferenceIndex();
  const partitionCount = 1 + random.below(16);
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  const rowCount = random.pick([0, 1, random.below(50), random.below(500), random.below(5_001)]);
  const rows: IndexRow[][] = partitions.map(() => []);
  for (let i = 0; i < rowCount; i++) {
    const partition = random.below(partitionCount);
    rows[partition]?.push(source.row(partition));
  }
  for (const partition of partitions) {
    index.load(partition, packRows(rows[partition] as IndexRow[]));
    reference.load(partition, rows[partition] as IndexRow[]);
  }
  return { index, reference, random, source, partitions };
}

async function change({ index, reference, random, source, partitions }: Case): Promise<void> {
  const partition = random.pick(partitions);
  const changes: IndexChange[] = [];
  for (let i = random.below(200); i > 0; i--) {
    const rows = reference.rows(partition);
    if (rows.length > 0 && random.below(3) > 0) {
      const row = random.pick(rows);
      changes.push({ kind: 'remove', ...row });
      reference.remove(partition, row);
      if (random.below(2) === 0) continue;
    }
    const row = source.row(partition);
    changes.push({ kind: 'add', row });
    reference.add(partition, row);
  }
  await index.apply(partition, changes);
}

function randomQuery({ random, source, partitions, reference }: Case, codeBits: number): IndexQuery {
  const some = partitions.filter(() => random.below(4) > 0);
  const asked = random.below(2) === 0 ? partitions : some;
  const rows = reference.rows(random.pick(partitions));
  const maxDistance = random.below(codeBits + 1);
  return {
    code: rows.length > 0 && random.below(3) === 0 ? random.pick(rows).code : source.code(),
    fineCode: source.fineCode(),
    k: random.pick([1, 10, 1 + random.below(100), 1 + random.below(10_000), 10_000]),
    ranking: random.pick(['HAMMING', 'FINE']),
    partitions: asked,
    ...(random.below(3) === 0 ? { maxDistance } : {}),
    ...(random.below(2) === 0 ? { filter: randomFilter(random) } : {}),
    ...(random.below(3) === 0 ? { after: randomPlace(random, codeBits) } : {}),
  };
}

// Every selectivity, from nothing to everything.
function randomFilter(random: SeededRandom): IndexFilter {
  const sets = random.pick([0, 1, 33, 1 + random.below(2_000), 2_000]);
  const allowed = new Uint32Array(Math.ceil(sets / 32));
  for (let i = random.pick([0, 1, 10, sets * 3]); i > 0 && sets > 0; i--) {
    const set = random.below(sets);
    allowed[set >>> 5] = (allowed[set >>> 5] as number) | (1 << (set & 31));
  }
  return { allowed, sets: random.pick([sets, Math.floor(sets / 2)]) };
}

function randomPlace(random: SeededRandom, codeBits: number): IndexPlace {
  const distance = random.below(codeBits);
  return { distance, fineDistance: random.pick([0, random.below(64)]), tieKey: random.tieKey() };
}

// Tiny bounds, so that small cases have tables and are rebuilt all the time; 'auto' keeps the bounds of production.
const SMALL = { deltaRowsMin: 40, tableCodesMin: 4 };
const ON_THREADS = { inlineRowsMax: 0 };
const TUNINGS = {
  always: { ...SMALL, ...ON_THREADS, probe: 'always' },
  never: { ...SMALL, ...ON_THREADS, probe: 'never', splitCodesMin: 20 },
  auto: { ...SMALL, ...ON_THREADS },
  inline: SMALL,
  plain: { inlineRowsMax: 2_000 },
} as const;

for (const [name, tuning] of Object.entries(TUNINGS))
  describe(`answers with probing '${name}' (seed ${SEED})`, () => {
    for (const [codeBits, fineCodeBits] of LENGTHS) {
      it(`are the first k of a full sort, ${codeBits}-bit codes with ${fineCodeBits}-bit fine codes`, async () => {
        const index = await openShardIndex({
          codeBits,
          fineCodeBits,
          searchThreads: 3,
          queueLengthMax: 100,
          tuning,
        });
        try {
          for (let i = 0; i < CASES; i++) {
            const random = new SeededRandom(SEED + i);
            const testCase = loadCase(index, random, codeBits, fineCodeBits);
            for (let step = random.below(4); step >= 0; step--) {
              if (random.below(3) > 0) await index.settled();
              const query = randomQuery(testCase, codeBits);
              const hits = answersOf(await index.search(query));
              assert.deepEqual(hits, testCase.reference.search(query), `case ${i}, seed ${SEED + i}`);
              await change(testCase);
            }
          }
        } finally {
          await index.close();
        }
      });
    }
  });
