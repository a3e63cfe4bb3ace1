import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../../src/core/random.js';
import { placeOf } from '../../../src/shard/search/hit-place.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';
import { openLocalShard } from '../local-shard.js';
import { partitionOfId, randomCode, recordEntry, recordOf } from '../records.js';
import { filterOf, plainSearch, type PlainImage, type PlainQuery } from './plain-search.js';

const IMAGES = 60;
const CHANGES = 120;

/** Ids of one partition, so that a batch changes all of its images at one moment. */
const IDS = Array.from({ length: 1_000 }, (_, i) => `image ${i}`)
  .filter((id) => partitionOfId(id) === 0)
  .slice(0, IMAGES);

describe('filtered and grouped searches while images change', () => {
  it('answer as one of the states did, although every change brings new attribute sets', async (test) => {
    const shard = await openLocalShard(await temporaryFolder(), {
      partitions: [0],
      // on a thread, as in a large gallery: changes come between a search's start and its snapshot
      tuning: { inlineRowsMax: 0 },
    });
    test.after(() => shard.close());
    const random = new Random(4_711);
    const images = new Map<string, PlainImage>();
    const queries: PlainQuery[] = [
      { filter: filterOf({ label: ['a'] }), groupBy: undefined, k: 20 },
      { filter: filterOf({ excludeStudyInstanceUid: ['1.1'] }), groupBy: undefined, k: 50 },
      { filter: undefined, groupBy: 'studyInstanceUid' as const, k: 6 },
      { filter: filterOf({ label: ['a', 'b'] }), groupBy: 'patientHash' as const, k: 4 },
    ].map((query) => ({ ...query, code: randomCode(random, 16), fineCode: undefined, maxDistance: 16 }));
    const possible = queries.map(() => new Set<string>());
    let revision = 0;
    const change = (ids: readonly string[]) => {
      revision++;
      const entries = ids.map((imageId) => {
        const before = images.get(imageId);
        const metadata = {
          label: ['a', 'b', 'c'][random.integer(3)] as string,
          // most images are of one study and of one patient, so that groups take several rounds
          studyInstanceUid: `1.${Math.max(0, random.integer(40) - 32)}`,
          seriesInstanceUid: `1.2.${revision}.${random.integer(4)}`,
          patientHash: `${Math.max(0, random.integer(40) - 35)}`.repeat(64),
        };
        const code = before !== undefined && random.integer(3) > 0 ? before.code : randomCode(random, 16);
        images.set(imageId, { imageId, code, fineCode: Buffer.alloc(0), metadata });
        return recordEntry(revision, recordOf(imageId, revision, code, { metadata }));
      });
      // before the change can be seen, so that no answer comes too early
      queries.forEach((query, i) =>
        possible[i]?.add(JSON.stringify(plainSearch([...images.values()], query).map(({ id }) => id))),
      );
      return shard.applier.apply(entries.map((entry) => ({ ...entry, sequence: revision })));
    };
    // entries of one batch need sequences of their own: the first batch is one image each
    for (const id of IDS) await change([id]);

    let changing = true;
    const changeAll = async () => {
      for (let i = 0; i < CHANGES; i++) await change([IDS[random.integer(IDS.length)] as string]);
      changing = false;
    };
    const answers = queries.map(() => 0);
    const look = async (i: number) => {
      const { fineCode: _, filter, groupBy, ...query } = queries[i] as PlainQuery;
      while (changing) {
        const { hits } = await shard.search.search({
          ...query,
          ranking: 'HAMMING',
          partitions: [0],
          ...(filter && { filter }),
          ...(groupBy && { groupBy }),
        });
        const ids = hits.imageIds.map((_id, row) => placeOf(hits, row).imageId);
        assert.ok(possible[i]?.has(JSON.stringify(ids)), `query ${i} gave what no state gives`);
        answers[i] = (answers[i] as number) + 1;
      }
    };
    await Promise.all([changeAll(), ...queries.map((_, i) => look(i)), ...queries.map((_, i) => look(i))]);
    for (const count of answers) assert.ok(count > 0);
  });
});
