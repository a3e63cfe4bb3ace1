import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Code__Output } from '../../src/generated/kinscan/v1/Code.js';
import type { DeleteResponse__Output } from '../../src/generated/kinscan/v1/DeleteResponse.js';
import type { GetImageResponse__Output } from '../../src/generated/kinscan/v1/GetImageResponse.js';
import type { IngestAccepted__Output } from '../../src/generated/kinscan/v1/IngestAccepted.js';
import type { IngestRequest } from '../../src/generated/kinscan/v1/IngestRequest.js';
import type { SearchRequest } from '../../src/generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../../src/generated/kinscan/v1/SearchResponse.js';
import { contentImageId } from '../../src/core/image-id.js';
import { hammingDistance } from '../../src/core/code.js';
import { compareRanked } from '../../src/core/ranking.js';
import { tieKeyOf } from '../../src/core/tie-key.js';
import { multiFrameDicom, phantomPng } from '../encoder/test-images.js';
import { startHarness, TIMEOUT_MS, type CoordinatorHarness } from './coordinator-harness.js';

let harness: CoordinatorHarness;

before(async () => {
  harness = await startHarness({ fineCodeBits: 64 });
});
after(async () => {
  await harness.stop();
});

const search = (request: SearchRequest): Promise<SearchResponse__Output> =>
  harness.retrieval.call('Search', request, { timeoutMs: TIMEOUT_MS });
const getImage = (imageId: string): Promise<GetImageResponse__Output> =>
  harness.retrieval.call(
    'GetImage',
    { imageId, includeEmbedding: true, includeThumbnail: true },
    { timeoutMs: TIMEOUT_MS },
  );
const remove = (imageIds: string[]): Promise<DeleteResponse__Output> =>
  harness.retrieval.call('Delete', { imageIds, wait: 'INGEST_WAIT_INDEXED' }, { timeoutMs: TIMEOUT_MS });

async function ingestIndexed(
  request: Omit<IngestRequest, 'requestId' | 'wait'>,
): Promise<IngestAccepted__Output> {
  const responses = await harness.ingest([{ ...request, requestId: 'r', wait: 'INGEST_WAIT_INDEXED' }]);
  const accepted = responses.get('r')?.accepted;
  assert.ok(accepted, `rejected: ${responses.get('r')?.rejected?.code}`);
  assert.equal(accepted.reached, 'INGEST_WAIT_INDEXED');
  return accepted;
}

describe('images through the whole cluster', () => {
  it('indexes many images over one stream and finds them exactly, in canonical order', async () => {
    const count = 60;
    const images = await Promise.all(Array.from({ length: count }, (_, n) => phantomPng(n)));
    const responses = await harness.ingest(
      images.map((content, n) => ({
        requestId: `${n}`,
        imageId: `many/${n}`,
        content: Buffer.from(content),
        metadata: { label: `class ${n % 6}`, modality: 'OT' },
        wait: 'INGEST_WAIT_INDEXED',
      })),
    );
    assert.equal(responses.size, count);
    const records = await Promise.all(Array.from({ length: count }, (_, n) => getImage(`many/${n}`)));
    const probe = records[7];
    assert.ok(probe?.code);
    const expected = records
      .map((record) => ({
        id: record.imageId,
        distance: hammingDistance(record.code?.bits ?? Buffer.alloc(0), probe.code?.bits ?? Buffer.alloc(0)),
        fineDistance: 0,
        tieKey: tieKeyOf(record.imageId),
      }))
      .sort(compareRanked);
    for (const query of [
      { image: Buffer.from(images[7] ?? []) },
      { imageId: 'many/7' },
      { code: probe.code },
    ]) {
      const answer = await search({ ...query, k: 25, ranking: 'RANKING_HAMMING', requireComplete: true });
      assert.deepEqual(
        answer.hits.map(({ imageId, distance }) => ({ imageId, distance })),
        expected.slice(0, 25).map(({ id, distance }) => ({ imageId: id, distance })),
      );
      assert.equal(answer.partitionsAnswered, 4);
      assert.equal(answer.partitionsTotal, 4);
      assert.equal(answer.modelVersion, harness.modelVersion);
      const first = answer.hits[0];
      assert.equal(first?.metadata?.modality, 'OT');
      assert.equal(first?.thumbnail.length, 0);
    }
  });

  it('ranks by fine codes whatever the query is: an image, an id, or the codes that it has kept', async () => {
    const records = await Promise.all(Array.from({ length: 60 }, (_, n) => getImage(`many/${n}`)));
    const { code, fineCode } = records[7] as GetImageResponse__Output;
    assert.ok(code && fineCode && fineCode.codeBits > 0);
    const distanceTo = (a: Code__Output | null, b: Code__Output) =>
      hammingDistance(a?.bits ?? Buffer.alloc(0), b.bits);
    const expected = records
      .map((record) => ({
        id: record.imageId,
        distance: distanceTo(record.code, code),
        fineDistance: distanceTo(record.fineCode, fineCode),
        tieKey: tieKeyOf(record.imageId),
      }))
      .sort(compareRanked);
    const image = Buffer.from(await phantomPng(7));
    for (const query of [{ image }, { imageId: 'many/7' }, { code, fineCode }]) {
      const answer = await search({ ...query, k: 25 });
      assert.deepEqual(
        answer.hits.map(({ imageId, distance, fineDistance }) => [imageId, distance, fineDistance]),
        expected.slice(0, 25).map(({ id, distance, fineDistance }) => [id, distance, fineDistance]),
      );
      assert.deepEqual(answer.fineCode, fineCode);
    }
    const byCodeAlone = await search({ code, k: 25 });
    assert.ok(
      byCodeAlone.fineCode === null && byCodeAlone.hits.every(({ fineDistance }) => fineDistance === 0),
    );
  });

  it('stops at the greatest distance asked for, and returns thumbnails where asked', async () => {
    const answer = await search({ imageId: 'many/3', k: 100, maxDistance: 0, includeThumbnails: true });
    assert.ok(answer.hits.some(({ imageId }) => imageId === 'many/3'));
    for (const hit of answer.hits) {
      assert.equal(hit.distance, 0);
      assert.deepEqual([...hit.thumbnail.subarray(0, 2)], [0xff, 0xd8]);
    }
  });

  it('names an image by its content where the client gives no id', async () => {
    const content = Buffer.from(await phantomPng(200));
    const accepted = await ingestIndexed({ content });
    assert.equal(accepted.imageId, contentImageId(content));
    assert.equal(accepted.images, 1);
  });

  it('lets a query with the token see its image at once, on any coordinator', async () => {
    const other = await harness.startCoordinator();
    for (let n = 300; n < 310; n++) {
      const { imageId, token } = await ingestIndexed({
        imageId: `token/${n}`,
        content: Buffer.from(await phantomPng(n)),
      });
      const answer: SearchResponse__Output = await other.retrieval.call(
        'Search',
        { imageId, token, k: 10_000, requireComplete: true },
        { timeoutMs: TIMEOUT_MS },
      );
      assert.ok(answer.hits.some((hit) => hit.imageId === imageId && hit.distance === 0));
    }
  });

  it('keeps the last of A, B, A', async () => {
    const a = Buffer.from(await phantomPng(401));
    const b = Buffer.from(await phantomPng(402));
    const revisions: number[] = [];
    const codes: string[] = [];
    for (const content of [a, b, a]) {
      revisions.push((await ingestIndexed({ imageId: 'aba', content })).revision);
      const record = await getImage('aba');
      assert.equal(record.revision, revisions.at(-1));
      codes.push(`${record.code?.bits.toString('hex')} ${record.embedding.join()}`);
    }
    assert.ok((revisions[0] ?? 0) < (revisions[1] ?? 0) && (revisions[1] ?? 0) < (revisions[2] ?? 0));
    assert.equal(codes[0], codes[2]);
    assert.notEqual(codes[0], codes[1]);
  });

  it('indexes every frame of a DICOM instance, replaces them, and deletes them by the id of the instance', async () => {
    const accepted = await ingestIndexed({ imageId: 'series', content: Buffer.from(multiFrameDicom(5)) });
    assert.equal(accepted.images, 5);
    assert.equal((await getImage('series#5')).metadata?.frameNumber, 5);
    const fewer = await ingestIndexed({ imageId: 'series', content: Buffer.from(multiFrameDicom(3)) });
    assert.equal(fewer.images, 3);
    await assert.rejects(getImage('series#5'), { code: 'IMAGE_NOT_FOUND' });
    assert.equal((await getImage('series#3')).revision, fewer.revision);
    assert.deepEqual(await remove(['series', 'never-there', 'series']), { deleted: 1, missing: 1 });
    for (const id of ['series', 'series#1', 'series#3'])
      await assert.rejects(getImage(id), { code: 'IMAGE_NOT_FOUND' });
  });

  it('finds a deleted image again only after it was ingested again', async () => {
    const content = Buffer.from(await phantomPng(500));
    await ingestIndexed({ imageId: 'gone', content });
    assert.deepEqual(await remove(['gone']), { deleted: 1, missing: 0 });
    await assert.rejects(search({ imageId: 'gone', k: 1 }), { code: 'IMAGE_NOT_FOUND' });
    const answer = await search({ image: content, k: 10_000 });
    assert.ok(!answer.hits.some(({ imageId }) => imageId === 'gone'));
    await ingestIndexed({ imageId: 'gone', content });
    assert.equal(
      (await search({ imageId: 'gone', k: 1_000 })).hits.filter((hit) => hit.imageId === 'gone').length,
      1,
    );
  });

  it('takes files above the inline limit through the object store', async () => {
    const content = Buffer.concat([await phantomPng(600), Buffer.alloc(3 * 1024 * 1024)]);
    const { imageId } = await ingestIndexed({ imageId: 'large', content });
    assert.equal((await getImage(imageId)).imageId, 'large');
  });

  it('says what the cluster holds', async () => {
    const status = await harness.status();
    const answer = await search({ imageId: 'many/0', k: 10_000 });
    assert.equal(status.images, answer.hits.length);
    assert.equal(status.imagesQueued, 0);
    assert.equal(status.modelVersion, harness.modelVersion);
    assert.equal(status.codeBits, 48);
    assert.equal(status.placementEpoch, 1);
    assert.deepEqual(
      status.partitions.map(({ partition, replicas }) => [
        partition,
        replicas.map(({ shardServer }) => shardServer),
      ]),
      [0, 1, 2, 3].map((partition) => [partition, [`shard-${partition % 2}`]]),
    );
    for (const { replicas } of status.partitions)
      for (const replica of replicas) assert.deepEqual([replica.live, replica.lag], [true, 0]);
    assert.deepEqual(status.members.map(({ role }) => role).sort(), [
      'coordinator',
      'coordinator',
      'encoder',
      'shard',
      'shard',
    ]);
  });
});
