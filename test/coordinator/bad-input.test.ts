import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { GetDeadLetterResponse__Output } from '../../src/generated/kinscan/v1/GetDeadLetterResponse.js';
import type { IngestRequest } from '../../src/generated/kinscan/v1/IngestRequest.js';
import type { IngestResponse__Output } from '../../src/generated/kinscan/v1/IngestResponse.js';
import type { ListDeadLettersResponse__Output } from '../../src/generated/kinscan/v1/ListDeadLettersResponse.js';
import type { SearchRequest } from '../../src/generated/kinscan/v1/SearchRequest.js';
import { openGrpcClient } from '../../src/runtime/grpc-client.js';
import { dicomWithoutPixels, phantomPng } from '../encoder/test-images.js';
import { waitUntil } from '../helpers/wait-until.js';
import { ingestAll, startHarness, TIMEOUT_MS, type CoordinatorHarness } from './coordinator-harness.js';

let harness: CoordinatorHarness;
let image: Buffer;

before(async () => {
  harness = await startHarness({ coordinatorFlags: ['--image-bytes-max', '2000000'] });
  image = Buffer.from(await phantomPng(1));
  await harness.ingest([{ requestId: 'good', imageId: 'good', content: image, wait: 'INGEST_WAIT_INDEXED' }]);
});
after(async () => {
  await harness.stop();
});

const call = <Response>(rpc: string, request: object): Promise<Response> =>
  harness.retrieval.call(rpc, request, { timeoutMs: TIMEOUT_MS });
const onLetters = <Response>(rpc: string, request: object): Promise<Response> =>
  harness.deadLetters.call(rpc, request, { timeoutMs: TIMEOUT_MS });
const listLetters = (request = {}) => onLetters<ListDeadLettersResponse__Output>('ListDeadLetters', request);

describe('bad requests', () => {
  it('are refused one by one, each with its own code, while the stream goes on', async () => {
    const requests: Record<string, Omit<IngestRequest, 'requestId'>> = {
      EMPTY_IMAGE: { imageId: 'x', content: Buffer.alloc(0) },
      INVALID_IMAGE_ID: { imageId: 'y'.repeat(10_000), content: image },
      IMAGE_TOO_LARGE: { imageId: 'x', content: Buffer.alloc(2_000_001) },
      INVALID_ARGUMENT: { imageId: 'x', content: image, metadata: { label: 'l'.repeat(257) } },
      UNSUPPORTED_FORMAT: {
        imageId: 'text',
        content: Buffer.from('not an image'),
        wait: 'INGEST_WAIT_INDEXED',
      },
      CORRUPT_IMAGE: { imageId: 'cut', content: image.subarray(0, 200), wait: 'INGEST_WAIT_INDEXED' },
      NO_PIXEL_DATA: {
        imageId: 'no-pixels',
        content: Buffer.from(dicomWithoutPixels()),
        wait: 'INGEST_WAIT_INDEXED',
      },
      accepted: { imageId: 'fine', content: image, wait: 'INGEST_WAIT_INDEXED' },
    };
    const sent = Object.entries(requests).map(([requestId, request]) => ({ requestId, ...request }));
    const responses = await harness.ingest(sent);
    assert.deepEqual(
      sent.map(({ requestId }) => responses.get(requestId)?.rejected?.code ?? 'accepted'),
      Object.keys(requests),
    );
  });

  it('of a query have codes of their own', async () => {
    const code = (bits: number, codeBits: number) => ({ code: { bits: Buffer.alloc(bits), codeBits } });
    const cases: [string, SearchRequest][] = [
      ['INVALID_K', { imageId: 'good', k: 0 }],
      ['INVALID_K', { imageId: 'good', k: 1_000_000_000 }],
      ['INVALID_ARGUMENT', { k: 1 }],
      ['INVALID_ARGUMENT', { imageId: 'good', k: 1, maxDistance: 49 }],
      ['INVALID_ARGUMENT', { imageId: 'good', k: 1, token: [{ partition: 4, streamSequence: 1 }] }],
      ['INVALID_ARGUMENT', { ...code(6, 48), k: 1, ranking: 'RANKING_FINE' }],
      ['INVALID_IMAGE_ID', { imageId: 'i'.repeat(10_000), k: 1 }],
      ['IMAGE_NOT_FOUND', { imageId: 'nobody', k: 1 }],
      ['EMPTY_IMAGE', { image: Buffer.alloc(0), k: 1 }],
      ['IMAGE_TOO_LARGE', { image: Buffer.alloc(2_000_001), k: 1 }],
      ['UNSUPPORTED_FORMAT', { image: Buffer.from('text'), k: 1 }],
      ['CORRUPT_IMAGE', { image: image.subarray(0, 200), k: 1 }],
      ['CODE_LENGTH_MISMATCH', { ...code(4, 32), k: 1 }],
      ['CODE_LENGTH_MISMATCH', { ...code(4, 48), k: 1 }],
      ['CODE_LENGTH_MISMATCH', { ...code(6, 48), fineCode: code(4, 32).code, k: 1 }],
      ['CODE_LENGTH_MISMATCH', { ...code(6, 48), fineCode: code(4, 512).code, k: 1 }],
      ['MODEL_VERSION_MISMATCH', { ...code(6, 48), k: 1, modelVersion: 'another' }],
    ];
    for (const [expected, request] of cases) {
      await assert.rejects(
        call('Search', request),
        { code: expected },
        JSON.stringify(request).slice(0, 100),
      );
    }
  });

  it('of the other calls have codes of their own', async () => {
    await assert.rejects(call('GetImage', { imageId: '' }), { code: 'INVALID_IMAGE_ID' });
    await assert.rejects(call('GetImage', { imageId: 'nobody' }), { code: 'IMAGE_NOT_FOUND' });
    await assert.rejects(call('Delete', { imageIds: [] }), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(call('Delete', { imageIds: ['a', 'b\u0000'] }), { code: 'INVALID_IMAGE_ID' });
    await assert.rejects(call('Delete', { imageIds: Array.from({ length: 10_001 }, (_, n) => `${n}`) }), {
      code: 'INVALID_ARGUMENT',
    });
    await assert.rejects(listLetters({ limit: 1_001 }), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(onLetters('GetDeadLetter', { sequence: 999 }), { code: 'DEAD_LETTER_NOT_FOUND' });
    await assert.rejects(onLetters('DropDeadLetters', {}), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(onLetters('RetryDeadLetters', { all: true, sequences: [1] }), {
      code: 'INVALID_ARGUMENT',
    });
  });

  it('too large for any message end their stream with a clear status, and no other', async () => {
    const client = openGrpcClient({
      address: `127.0.0.1:${harness.coordinator.port}`,
      service: 'Retrieval',
      messageBytesMax: 256 * 1024 * 1024,
      unavailable: 'NOT_READY',
    });
    const other = harness.retrieval.duplex<IngestRequest, IngestResponse__Output>('Ingest');
    const answers: string[] = [];
    other.on('data', ({ requestId }: IngestResponse__Output) => answers.push(requestId));
    const ended = new Promise((resolve, reject) => other.on('end', resolve).on('error', reject));
    other.write({ requestId: 'before', imageId: 'other', content: image });
    await assert.rejects(
      ingestAll(client, [{ requestId: 'huge', imageId: 'huge', content: Buffer.alloc(200_000_000) }]),
      (error: Error & { cause: { code: number; details: string } }) => {
        assert.equal(error.cause.code, 8, 'RESOURCE_EXHAUSTED');
        assert.match(error.cause.details, /larger than max/);
        return true;
      },
    );
    client.close();
    other.write({ requestId: 'after', imageId: 'other', content: image });
    other.end();
    await ended;
    assert.deepEqual(answers.sort(), ['after', 'before']);
  });
});

describe('dead letters', () => {
  it('can be listed page by page and looked at', async () => {
    const all = await listLetters();
    assert.equal(all.total, 3);
    assert.deepEqual(all.deadLetters.map(({ imageId, reason }) => [imageId, reason?.code]).sort(), [
      ['cut', 'CORRUPT_IMAGE'],
      ['no-pixels', 'NO_PIXEL_DATA'],
      ['text', 'UNSUPPORTED_FORMAT'],
    ]);
    const sequences = all.deadLetters.map(({ sequence }) => sequence);
    assert.deepEqual(
      (await listLetters({ afterSequence: sequences[0], limit: 1 })).deadLetters.map(
        ({ sequence }) => sequence,
      ),
      [sequences[1]],
    );
    const text = all.deadLetters.find(({ imageId }) => imageId === 'text');
    const shown = await onLetters<GetDeadLetterResponse__Output>('GetDeadLetter', {
      sequence: text?.sequence,
      includeContent: true,
    });
    assert.equal(shown.content.toString(), 'not an image');
    assert.deepEqual(shown.deadLetter, text);
    assert.equal((await harness.status()).deadLetters, 3);
  });

  it('come back under a new revision when they are tried again', async () => {
    const before = (await listLetters()).deadLetters.find(({ imageId }) => imageId === 'text');
    const answer = await onLetters('RetryDeadLetters', { sequences: [before?.sequence, 999] });
    assert.deepEqual(answer, { retried: 1, missing: 1 });
    const again = await waitUntil('it is a dead letter again', async () =>
      (await listLetters()).deadLetters.find(({ imageId }) => imageId === 'text'),
    );
    assert.ok(again.sequence > (before?.sequence ?? 0));
    assert.ok(again.revision > (before?.revision ?? 0));
    assert.equal((await listLetters()).total, 3);
  });

  it('are dropped by name and all together, with the images that stand in the object store', async () => {
    const large = Buffer.alloc(1_500_000, 'no image');
    const responses = await harness.ingest([
      { requestId: 'l', imageId: 'large', content: large, wait: 'INGEST_WAIT_INDEXED' },
    ]);
    assert.equal(responses.get('l')?.rejected?.code, 'UNSUPPORTED_FORMAT');
    const letter = (await listLetters()).deadLetters.find(({ imageId }) => imageId === 'large');
    assert.equal(letter?.contentBytes, large.length);
    const shown = await onLetters<GetDeadLetterResponse__Output>('GetDeadLetter', {
      sequence: letter?.sequence,
      includeContent: true,
    });
    assert.ok(shown.content.equals(large));
    assert.deepEqual(
      await onLetters('DropDeadLetters', { sequences: [letter?.sequence, letter?.sequence] }),
      {
        dropped: 1,
        missing: 0,
      },
    );
    await assert.rejects(onLetters('GetDeadLetter', { sequence: letter?.sequence }), {
      code: 'DEAD_LETTER_NOT_FOUND',
    });
    assert.deepEqual(await onLetters('DropDeadLetters', { all: true }), { dropped: 3, missing: 0 });
    assert.deepEqual(await listLetters(), { deadLetters: [], total: 0 });
  });
});
