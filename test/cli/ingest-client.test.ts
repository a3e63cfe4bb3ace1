import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { IngestClient } from '../../src/cli/ingest/ingest-client.js';
import { KinscanError } from '../../src/core/errors.js';
import type { IngestRequest__Output } from '../../src/generated/kinscan/v1/IngestRequest.js';
import type { IngestResponse } from '../../src/generated/kinscan/v1/IngestResponse.js';
import { systemClock } from '../../src/runtime/clock.js';
import { openGrpcClient, type GrpcClient } from '../../src/runtime/grpc-client.js';
import { duplex, startGrpcServer, type GrpcServer } from '../../src/runtime/grpc-server.js';
import { createLog } from '../../src/runtime/log.js';

const log = createLog('test', 'test', 'silent');

/** Answers of a coordinator that the test decides on: a response, or 'break' to cut the stream. */
type Answer = (request: IngestRequest__Output) => IngestResponse | 'break';

describe('the ingest client', () => {
  let server: GrpcServer;
  let grpc: GrpcClient;
  let answer: Answer;
  let streams: number;

  beforeEach(async () => {
    streams = 0;
    server = await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      messageBytesMax: 1024 * 1024,
      log,
      services: {
        Retrieval: {
          Ingest: duplex<IngestRequest__Output, IngestResponse>(log, (call) => {
            streams++;
            return new Promise((resolve, reject) => {
              call.on('end', resolve);
              call.on('data', (request: IngestRequest__Output) => {
                const response = answer(request);
                if (response === 'break') reject(new KinscanError('DRAINING', 'going away'));
                else call.write(response);
              });
            });
          }),
        },
      },
    });
    grpc = openGrpcClient({
      address: `127.0.0.1:${server.port}`,
      service: 'Retrieval',
      messageBytesMax: 1024 * 1024,
      unavailable: 'NOT_READY',
    });
  });

  afterEach(async () => {
    grpc.close();
    await server.drain(1_000);
  });

  function accept({ requestId, imageId }: IngestRequest__Output): IngestResponse {
    return { requestId, accepted: { imageId, revision: 1 } };
  }

  function open(retryTimeoutMs: number): IngestClient {
    return new IngestClient({ client: grpc, clock: systemClock, retryTimeoutMs });
  }

  it('gives each of many images its own answer over one stream', async () => {
    answer = accept;
    const client = open(0);
    const content = Buffer.alloc(20_000);
    const ids = Array.from({ length: 300 }, (_, n) => `image-${n}`);
    const answers = await Promise.all(ids.map((imageId) => client.ingest({ imageId, content })));
    assert.deepEqual(
      answers.map(({ imageId }) => imageId),
      ids,
    );
    assert.equal(streams, 1);
    client.close();
  });

  it('sends again what a broken stream left unanswered', async () => {
    let calls = 0;
    answer = (request) => (++calls === 5 ? 'break' : accept(request));
    const client = open(30_000);
    const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const answers = await Promise.all(
      ids.map((imageId) => client.ingest({ imageId, content: Buffer.of(1) })),
    );
    assert.deepEqual(
      answers.map(({ imageId }) => imageId),
      ids,
    );
    assert.equal(streams, 2);
    client.close();
  });

  it('tries an overloaded coordinator again after the hint', async () => {
    let calls = 0;
    answer = (request) =>
      ++calls === 1
        ? {
            requestId: request.requestId,
            rejected: { code: 'OVERLOADED', message: 'full', retryAfterMs: 10 },
          }
        : accept(request);
    const client = open(30_000);
    assert.equal((await client.ingest({ imageId: 'a', content: Buffer.of(1) })).imageId, 'a');
    assert.equal(calls, 2);
    client.close();
  });

  it('gives up at once on what cannot succeed, and after the limit on what did not', async () => {
    let calls = 0;
    const refuse =
      (code: string): Answer =>
      ({ requestId }) => {
        calls++;
        return { requestId, rejected: { code, message: 'no' } };
      };
    const client = open(0);
    for (const code of ['CORRUPT_IMAGE', 'STORAGE_FULL'] as const) {
      answer = refuse(code);
      await assert.rejects(
        client.ingest({ imageId: 'a', content: Buffer.of(1) }),
        (error) => error instanceof KinscanError && error.code === code,
      );
    }
    assert.equal(calls, 2);
    client.close();
  });
});
