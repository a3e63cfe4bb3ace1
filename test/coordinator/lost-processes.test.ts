import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { IngestRequest } from '../../src/generated/kinscan/v1/IngestRequest.js';
import type { IngestResponse__Output } from '../../src/generated/kinscan/v1/IngestResponse.js';
import type { SearchRangeRequest } from '../../src/generated/kinscan/v1/SearchRangeRequest.js';
import type { SearchRangeResponse__Output } from '../../src/generated/kinscan/v1/SearchRangeResponse.js';
import type { SearchRequest } from '../../src/generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../../src/generated/kinscan/v1/SearchResponse.js';
import type { SearchStreamRequest } from '../../src/generated/kinscan/v1/SearchStreamRequest.js';
import type { SearchStreamResponse__Output } from '../../src/generated/kinscan/v1/SearchStreamResponse.js';
import type { StatusResponse__Output } from '../../src/generated/kinscan/v1/StatusResponse.js';
import type { GrpcClient } from '../../src/runtime/grpc-client.js';
import { writeRandomModel } from '../encoder/encoder-harness.js';
import { phantomPng } from '../encoder/test-images.js';
import { startCluster, type Cluster } from '../helpers/cluster.js';
import { waitUntil } from '../helpers/wait-until.js';
import { ingestAll, TIMEOUT_MS } from './coordinator-harness.js';

const IMAGES = 24;
const PARTITIONS = 4;

let folder: string;
let cluster: Cluster;
let retrieval: GrpcClient;
let images: Buffer[];

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kinscan-lost-'));
  const modelFolder = path.join(folder, 'model');
  await writeRandomModel(modelFolder, 1);
  cluster = await startCluster({ modelFolder, partitions: PARTITIONS, coordinators: 2 });
  retrieval = cluster.client('Retrieval');
  images = await Promise.all(
    Array.from({ length: IMAGES }, async (_, n) => Buffer.from(await phantomPng(n))),
  );
  const responses = await ingestAll(retrieval, requestsFor('INGEST_WAIT_INDEXED'));
  for (const { accepted } of responses.values()) assert.equal(accepted?.reached, 'INGEST_WAIT_INDEXED');
  assert.equal(responses.size, IMAGES);
});
after(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

function requestsFor(wait: NonNullable<IngestRequest['wait']>, prefix = 'image'): IngestRequest[] {
  return images.map((content, n) => ({ requestId: `${n}`, imageId: `${prefix}/${n}`, content, wait }));
}

const search = (request: SearchRequest): Promise<SearchResponse__Output> =>
  retrieval.call('Search', request, { timeoutMs: TIMEOUT_MS });
async function range(request: SearchRangeRequest): Promise<SearchRangeResponse__Output[]> {
  const pages: SearchRangeResponse__Output[] = [];
  const call = retrieval.serverStream<SearchRangeRequest, SearchRangeResponse__Output>(
    'SearchRange',
    request,
    { timeoutMs: TIMEOUT_MS },
  );
  try {
    for await (const page of call) pages.push(page as SearchRangeResponse__Output);
  } catch (error) {
    throw retrieval.streamError(error as Error);
  }
  return pages;
}
const status = (client = retrieval): Promise<StatusResponse__Output> =>
  client.call('Status', {}, { timeoutMs: TIMEOUT_MS });

describe('a coordinator', () => {
  it('answers with the partitions that are left when a shard server is killed, and says so', async () => {
    const shard = cluster.shards[1];
    assert.ok(shard);
    const whole = await search({ image: images[0] ?? Buffer.alloc(0), k: IMAGES });
    assert.equal(whole.hits.length, IMAGES);
    await shard.kill();
    const part = await search({ image: images[0] ?? Buffer.alloc(0), k: IMAGES });
    assert.deepEqual([part.partitionsAnswered, part.partitionsTotal], [PARTITIONS / 2, PARTITIONS]);
    const left = new Set(part.hits.map(({ imageId }) => imageId));
    assert.ok(left.size > 0 && left.size < IMAGES);
    assert.deepEqual(
      part.hits.map(({ imageId }) => imageId),
      whole.hits.map(({ imageId }) => imageId).filter((id) => left.has(id)),
    );
    await assert.rejects(search({ image: images[0] ?? Buffer.alloc(0), k: 1, requireComplete: true }), {
      code: 'INCOMPLETE_RESULT',
    });
    const pages = await range({ image: images[0] ?? Buffer.alloc(0), maxDistance: 48, pageSize: 5 });
    for (const page of pages) assert.equal(page.partitionsAnswered, PARTITIONS / 2);
    assert.deepEqual(
      pages.flatMap(({ hits }) => hits),
      part.hits,
    );
    assert.equal(pages.at(-1)?.exhausted, false, 'half of the range is missing');
    await assert.rejects(
      range({ imageId: part.hits[0]?.imageId ?? '', maxDistance: 48, requireComplete: true }),
      {
        code: 'INCOMPLETE_RESULT',
      },
    );
    const replicas = (await status()).partitions.flatMap((partition) => partition.replicas);
    assert.deepEqual(
      replicas.map(({ shardServer, live }) => [shardServer, live]),
      [0, 1, 2, 3].map((partition) => [`shard-${partition % 2}`, partition % 2 === 0]),
    );
    const lost = whole.hits.find(({ imageId }) => !left.has(imageId))?.imageId ?? '';
    await assert.rejects(search({ imageId: lost, k: 1 }), { code: 'SHARD_UNAVAILABLE' });

    await shard.restart();
    const again = await waitUntil('every partition answers', () =>
      search({ image: images[0] ?? Buffer.alloc(0), k: IMAGES, requireComplete: true }),
    );
    assert.deepEqual(again.hits, whole.hits);
  });

  it('goes on taking images in while no encoder is there, and answers by code and id', async () => {
    const encoder = cluster.encoders[0];
    assert.ok(encoder);
    await encoder.kill();
    const responses = await ingestAll(retrieval, requestsFor('INGEST_WAIT_QUEUED', 'queued'));
    for (const { accepted } of responses.values()) assert.equal(accepted?.reached, 'INGEST_WAIT_QUEUED');
    assert.equal((await status()).imagesQueued, IMAGES);
    await assert.rejects(search({ image: images[0] ?? Buffer.alloc(0), k: 1 }), {
      code: 'ENCODER_UNAVAILABLE',
    });
    const byId = await search({ imageId: 'image/0', k: IMAGES, requireComplete: true });
    assert.ok(byId.hits.some(({ imageId }) => imageId === 'image/0'));
    await encoder.restart();
    await waitUntil('all are indexed', async () => (await status()).images === 2 * IMAGES);
    await waitUntil('none is queued', async () => (await status()).imagesQueued === 0);
  });

  it('retries while nats-server is away, and then acknowledges each image once', async () => {
    const sent = requestsFor('INGEST_WAIT_INDEXED', 'retried');
    const call = retrieval.duplex<IngestRequest, IngestResponse__Output>('Ingest');
    const responses: IngestResponse__Output[] = [];
    const ended = new Promise((resolve, reject) => call.on('end', resolve).on('error', reject));
    call.on('data', (response: IngestResponse__Output) => responses.push(response));
    for (const request of sent.slice(0, IMAGES / 2)) call.write(request);
    await cluster.nats.kill();
    for (const request of sent.slice(IMAGES / 2)) call.write(request);
    const answer = await search({ imageId: 'image/0', k: 1, requireComplete: true });
    assert.equal(answer.hits.length, 1, 'queries need no NATS');
    await cluster.nats.restart();
    call.end();
    await ended;
    assert.deepEqual(
      responses.map(({ requestId }) => Number(requestId)).sort((a, b) => a - b),
      [...sent.keys()],
    );
    assert.deepEqual(
      new Set(responses.map(({ accepted }) => accepted?.reached)),
      new Set(['INGEST_WAIT_INDEXED']),
    );
    assert.equal((await status()).images, 3 * IMAGES);
  });

  it('may be killed: another one goes on, and the killed one comes back', async () => {
    const [first, second] = cluster.coordinators;
    assert.ok(first && second);
    const other = cluster.client('Retrieval', second);
    await first.kill();
    assert.equal((await status(other)).images, 3 * IMAGES);
    await first.restart();
    await first.untilServing();
    assert.equal((await waitUntil('it is reached again', () => status())).images, 3 * IMAGES);
  });

  it('drains on SIGTERM: what it has accepted is answered, and the stream ends with DRAINING', async () => {
    const second = cluster.coordinators[1];
    const other = cluster.client('Retrieval', second);
    const call = other.duplex<IngestRequest, IngestResponse__Output>('Ingest');
    const responses: IngestResponse__Output[] = [];
    call.on('data', (response: IngestResponse__Output) => responses.push(response));
    const failure = new Promise<Error>((resolve) => call.on('error', resolve));
    call.write({ requestId: 'r', imageId: 'image/0', content: images[0] ?? Buffer.alloc(0) });
    await waitUntil('the first is answered', () => responses.length === 1);
    assert.equal(await second?.kill('SIGTERM'), 0);
    assert.equal(other.streamError(await failure).code, 'DRAINING');
  });

  it('answers many queries over one stream, and survives clients that leave in the middle', async () => {
    const leave = retrieval.duplex<SearchStreamRequest, SearchStreamResponse__Output>('SearchStream');
    leave.on('error', () => undefined);
    const leaveIngest = retrieval.duplex<IngestRequest, IngestResponse__Output>('Ingest');
    leaveIngest.on('error', () => undefined);
    for (let n = 0; n < 200; n++) {
      leave.write({ requestId: `${n}`, search: { imageId: `image/${n % IMAGES}`, k: 5 } });
      leaveIngest.write({
        requestId: `${n}`,
        imageId: `image/${n % IMAGES}`,
        content: images[n % IMAGES] ?? Buffer.alloc(0),
        wait: 'INGEST_WAIT_INDEXED',
      });
    }
    await new Promise((resolve) => leave.once('data', resolve));
    leave.cancel();
    leaveIngest.cancel();

    const call = retrieval.duplex<SearchStreamRequest, SearchStreamResponse__Output>('SearchStream');
    const answers = new Map<string, SearchStreamResponse__Output>();
    call.on('data', (answer: SearchStreamResponse__Output) => answers.set(answer.requestId, answer));
    const ended = new Promise((resolve, reject) => call.on('end', resolve).on('error', reject));
    for (let n = 0; n < 500; n++)
      call.write({ requestId: `${n}`, search: { imageId: `image/${n % IMAGES}`, k: 10_000 } });
    call.write({ requestId: 'bad', search: { imageId: 'image/0', k: 0 } });
    call.end();
    await ended;
    assert.equal(answers.size, 501);
    assert.equal(answers.get('bad')?.error?.code, 'INVALID_K');
    for (let n = 0; n < 500; n++) {
      const hits = answers.get(`${n}`)?.result?.hits;
      assert.equal(hits?.filter(({ imageId }) => imageId === `image/${n % IMAGES}`).length, 1);
    }
  });
});
