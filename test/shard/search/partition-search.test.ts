import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hammingDistance } from '../../../src/core/code.js';
import type { HitList } from '../../../src/core/hit-list.js';
import { Random } from '../../../src/core/random.js';
import { tieKeyOf } from '../../../src/core/tie-key.js';
import { systemClock } from '../../../src/runtime/clock.js';
import type { ImageRecord, ImageRecord__Output } from '../../../src/generated/kinscan/v1/ImageRecord.js';
import { messageCodec } from '../../../src/runtime/proto.js';
import { resolveHits } from '../../../src/shard/search/resolve-hits.js';
import { PartitionSearch } from '../../../src/shard/search/partition-search.js';
import { NO_CHANGE } from '../../../src/shard/store/record-store.js';
import { modelTagOf, type IdState } from '../../../src/shard/store/tie-entry.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';
import { openLocalShard } from '../local-shard.js';
import { MODEL, partitionOfId, randomCode, recordEntry, recordOf, removalEntry } from '../records.js';

const MODEL_TAG = modelTagOf(MODEL.modelVersion);
const recordCodec = messageCodec<ImageRecord, ImageRecord__Output>('ImageRecord');
const QUERY = { code: Buffer.alloc(2), k: 100, ranking: 'HAMMING' as const, partitions: [0] };

function stateOf(imageId: string, code: readonly number[], modelTag = MODEL_TAG): IdState {
  const summary = Buffer.from(`what is shown of ${imageId}`);
  const codes = { code: Buffer.from(code), fineCode: Buffer.alloc(0) };
  const live = { revision: 1, modelTag, ...codes, attributes: 0, summary };
  return { imageId, removedBefore: 0, live };
}

/** Hits of partition 0, as the index would give them. */
function indexHits(rows: readonly (readonly [tieKey: bigint, distance: number])[]) {
  return {
    count: rows.length,
    partitions: new Uint16Array(rows.length),
    distances: Uint16Array.from(rows, ([, distance]) => distance),
    fineDistances: new Uint16Array(rows.length),
    tieKeys: BigUint64Array.from(rows, ([tieKey]) => tieKey),
  };
}

describe('resolving hits', () => {
  it('gives ids that share a tie key in the order of their bytes, each once and only at its own distance', async (test) => {
    const { store, close } = await openLocalShard(await temporaryFolder());
    test.after(close);
    const shared = [
      stateOf('b', [1, 0]),
      stateOf('Z', [2, 0]),
      stateOf('a', [3, 0]),
      stateOf('other model', [1, 0], 1n),
      { imageId: 'removed', removedBefore: 5, live: undefined },
    ];
    await store.commit({
      ...NO_CHANGE,
      tieEntries: [
        { partition: 0, tieKey: 7n, states: shared },
        { partition: 0, tieKey: 8n, states: [stateOf('alone', [1, 0])] },
      ],
    });
    const hits = indexHits([
      [7n, 1],
      [7n, 1],
      [8n, 1],
      [7n, 2],
    ]);
    const resolved = await resolveHits(store, hits, QUERY, MODEL_TAG);
    assert.deepEqual(resolved?.hits.imageIds, ['Z', 'b', 'alone', 'a']);
    const shown = resolved.summaries.map((summary) => Buffer.from(summary).toString());
    assert.deepEqual(
      shown,
      ['Z', 'b', 'alone', 'a'].map((id) => `what is shown of ${id}`),
    );
    const cut = await resolveHits(store, indexHits([[7n, 1]]), QUERY, MODEL_TAG);
    assert.deepEqual(cut?.hits.imageIds, ['Z']);
  });

  it('says so where a hit has no image any more, or one at another distance', async (test) => {
    const { store, close } = await openLocalShard(await temporaryFolder());
    test.after(close);
    const states = [stateOf('moved', [0xff, 0])];
    await store.commit({ ...NO_CHANGE, tieEntries: [{ partition: 0, tieKey: 1n, states }] });
    assert.equal(await resolveHits(store, indexHits([[1n, 3]]), QUERY, MODEL_TAG), undefined);
    assert.equal(await resolveHits(store, indexHits([[2n, 3]]), QUERY, MODEL_TAG), undefined);
    const twice = indexHits([
      [1n, 8],
      [1n, 8],
    ]);
    assert.equal(await resolveHits(store, twice, QUERY, MODEL_TAG), undefined);
  });
});

describe('searching while images change', () => {
  it('never shows an image twice, at a distance it never had, or a hole, and ends up exact', async (test) => {
    const shard = await openLocalShard(await temporaryFolder());
    test.after(() => shard.close());
    const random = new Random(20_260_101);
    const ids = Array.from({ length: 40 }, (_, i) => `image ${i}`);
    // the two codes that each image goes back and forth between
    const codes = new Map(ids.map((id) => [id, [randomCode(random, 16), randomCode(random, 16)] as const]));
    const codeAt = (id: string, revision: number) => codes.get(id)?.[revision % 2] as Uint8Array;
    const query = { code: randomCode(random, 16), k: 30, ranking: 'HAMMING' as const };
    let sequence = 0;
    const put = (id: string, revision: number) =>
      recordEntry(++sequence, recordOf(id, revision, codeAt(id, revision)));
    await shard.applier.apply(ids.map((id) => put(id, 1)));

    const live = new Map<string, Uint8Array>();
    let changing = true;
    const change = async () => {
      for (let revision = 2; revision <= 150; revision++) {
        const changed = ids.filter(() => random.integer(2) === 0);
        // always at least 30 images left, so that a full answer is due at any moment
        const removed = new Set(changed.slice(0, 8));
        await shard.applier.apply(
          changed.map((id) =>
            removed.has(id) ? removalEntry(++sequence, id, revision, partitionOfId(id)) : put(id, revision),
          ),
        );
        await shard.applier.apply([...removed].map((id) => put(id, revision)));
        for (const id of ids)
          if (changed.includes(id) || revision === 2)
            live.set(id, codeAt(id, changed.includes(id) ? revision : 1));
      }
      changing = false;
    };
    let searches = 0;
    const look = async () => {
      while (changing) {
        const { hits, summaries } = await shard.search.search({
          ...query,
          partitions: shard.applier.partitions(),
        });
        searches++;
        assert.equal(hits.count, 30);
        assert.equal(new Set(hits.imageIds).size, 30);
        hits.imageIds.forEach((id, i) => {
          const possible = codes.get(id)?.map((code) => hammingDistance(code, query.code));
          assert.ok(possible?.includes(hits.distances[i] as number), 'a distance that the image has had');
          const { revision, metadata } = recordCodec.decode(summaries[i] as Uint8Array);
          const shown = hammingDistance(codeAt(id, revision), query.code);
          assert.equal(shown, hits.distances[i], 'what is shown is of the revision that was found');
          assert.equal(metadata?.label, `label of revision ${revision}`);
        });
        assertCanonical(hits);
      }
    };
    await Promise.all([change(), look(), look(), look()]);
    assert.ok(searches > 0);
    const { hits } = await shard.search.search({ ...query, partitions: shard.applier.partitions() });
    const expected = [...live]
      .map(([id, code]) => ({ id, distance: hammingDistance(code, query.code), tieKey: tieKeyOf(id) }))
      .sort((a, b) => a.distance - b.distance || (a.tieKey < b.tieKey ? -1 : 1))
      .slice(0, 30);
    assert.deepEqual(
      hits.imageIds,
      expected.map(({ id }) => id),
    );
  });

  it('makes changes wait where they keep getting in between', async (test) => {
    const { applier, store, index, close } = await openLocalShard(await temporaryFolder());
    test.after(close);
    let revision = 1;
    const next = () => {
      revision++;
      return applier.apply([recordEntry(revision, recordOf('x', revision, atDistance(revision)))]);
    };
    await next();
    let interruptions = 0;
    // as if each time a change came between the index's answer and the reading of its ids
    const interrupted = Object.assign(Object.create(index) as typeof index, {
      search: async (query: Parameters<typeof index.search>[0]) => {
        const hits = await index.search(query);
        interruptions++;
        const change = next();
        pending = change;
        // the fourth must not get through, however long it is given
        await (interruptions <= 3 ? change : Promise.race([change, systemClock.sleep(200)]));
        return hits;
      },
    });
    let pending: Promise<unknown> | undefined;
    const search = new PartitionSearch({
      store,
      index: interrupted,
      applier,
      modelVersion: MODEL.modelVersion,
    });
    const { hits } = await search.search({ ...QUERY, partitions: applier.partitions() });
    assert.deepEqual(hits.imageIds, ['x']);
    assert.equal(interruptions, 4);
    await pending;
    const [after] = await index
      .search({ ...QUERY, partitions: applier.partitions() })
      .then(({ distances }) => [...distances]);
    assert.equal(after, hammingDistance(atDistance(revision), QUERY.code));
  });
});

/** A code at this distance from 0, so that each revision moves the image. */
function atDistance(distance: number): Uint8Array {
  return Uint8Array.from([(1 << distance) - 1, 0]);
}

function assertCanonical(hits: HitList): void {
  for (let i = 1; i < hits.count; i++) {
    const [before, here] = [hits.distances[i - 1] as number, hits.distances[i] as number];
    const inOrder =
      before < here || (before === here && (hits.tieKeys[i - 1] as bigint) < (hits.tieKeys[i] as bigint));
    assert.ok(inOrder, 'hits are in canonical order');
  }
}
