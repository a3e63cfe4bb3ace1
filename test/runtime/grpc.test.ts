import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KinscanError } from '../../src/core/errors.js';
import type { EncodeRequest__Output } from '../../src/generated/kinscan/v1/EncodeRequest.js';
import type { EncodeResponse } from '../../src/generated/kinscan/v1/EncodeResponse.js';
import type { SearchRangeRequest__Output } from '../../src/generated/kinscan/v1/SearchRangeRequest.js';
import type { SearchRangeResponse } from '../../src/generated/kinscan/v1/SearchRangeResponse.js';
import { systemClock } from '../../src/runtime/clock.js';
import { openGrpcClient, type GrpcClient } from '../../src/runtime/grpc-client.js';
import { isServing } from '../../src/runtime/grpc-health.js';
import {
  serverStream,
  startGrpcServer,
  unary,
  type CallContext,
  type GrpcServer,
  type StreamHandler,
} from '../../src/runtime/grpc-server.js';
import { createLog } from '../../src/runtime/log.js';

const log = createLog('test', 'test', 'silent');
const CALL = { timeoutMs: 5_000 };

type Handler = (request: EncodeRequest__Output, context: CallContext) => Promise<EncodeResponse>;

describe('a gRPC server and client', () => {
  let server: GrpcServer;
  let client: GrpcClient;
  let handler: Handler;

  before(async () => {
    server = await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      messageBytesMax: 1024 * 1024,
      services: {
        Encoder: {
          Encode: unary<EncodeRequest__Output, EncodeResponse>(log, (request, context) =>
            handler(request, context),
          ),
        },
      },
      log,
    });
    client = openGrpcClient({
      address: `127.0.0.1:${server.port}`,
      service: 'Encoder',
      messageBytesMax: 1024 * 1024,
      unavailable: 'ENCODER_UNAVAILABLE',
    });
  });

  after(async () => {
    client.close();
    await server.drain(1_000);
  });

  function failsWith(code: string, check: (error: KinscanError) => void = () => undefined) {
    return (error: unknown) => {
      assert.ok(error instanceof KinscanError, String(error));
      assert.equal(error.code, code);
      check(error);
      return true;
    };
  }

  it('carry a request and its answer', async () => {
    handler = (request) => Promise.resolve({ modelVersion: `frame ${request.frameNumber}` });
    assert.deepEqual(
      (await client.call<object, EncodeResponse>('Encode', { frameNumber: 7 }, CALL)).modelVersion,
      'frame 7',
    );
  });

  it('carry the stable code and the retry hint of an error', async () => {
    handler = () => Promise.reject(new KinscanError('OVERLOADED', 'queue full', { retryAfterMs: 250 }));
    await assert.rejects(
      client.call('Encode', {}, CALL),
      failsWith('OVERLOADED', (error) => assert.equal(error.retryAfterMs, 250)),
    );
  });

  it('tell the client nothing of a fault of our own', async () => {
    handler = () => Promise.reject(new Error('secret detail'));
    await assert.rejects(
      client.call('Encode', {}, CALL),
      failsWith('INTERNAL', (error) => assert.ok(!String(error.message).includes('secret'))),
    );
  });

  it('end a call at its deadline, and the handler is told', async () => {
    const aborted = new Promise<void>((resolve) => {
      handler = (_request, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            resolve();
            reject(new KinscanError('DEADLINE_EXCEEDED', 'the deadline passed'));
          });
        });
    });
    await assert.rejects(client.call('Encode', {}, { timeoutMs: 100 }), failsWith('DEADLINE_EXCEEDED'));
    await aborted;
  });

  it('refuse a message above the limit with RESOURCE_EXHAUSTED, and serve the next one', async () => {
    handler = () => Promise.resolve({ modelVersion: 'still here' });
    const small = openGrpcClient({
      address: `127.0.0.1:${server.port}`,
      service: 'Encoder',
      messageBytesMax: 64 * 1024 * 1024,
      unavailable: 'ENCODER_UNAVAILABLE',
    });
    await assert.rejects(
      small.call('Encode', { image: Buffer.alloc(2 * 1024 * 1024) }, CALL),
      failsWith('OVERLOADED'),
    );
    assert.equal((await small.call<object, EncodeResponse>('Encode', {}, CALL)).modelVersion, 'still here');
    small.close();
  });

  it('name an unreachable server as the caller asked', async () => {
    const nowhere = openGrpcClient({
      address: '127.0.0.1:1',
      service: 'Encoder',
      messageBytesMax: 1024,
      unavailable: 'ENCODER_UNAVAILABLE',
    });
    await assert.rejects(nowhere.call('Encode', {}, CALL), failsWith('ENCODER_UNAVAILABLE'));
    nowhere.close();
  });

  it('answer grpc.health.v1 with what the role says', async () => {
    assert.equal(await isServing(`127.0.0.1:${server.port}`), false);
    server.setServing(true);
    assert.equal(await isServing(`127.0.0.1:${server.port}`), true);
    assert.equal(await isServing('127.0.0.1:1'), false);
  });

  it('refuse a port that is taken', async () => {
    await assert.rejects(
      startGrpcServer({ host: '127.0.0.1', port: server.port, messageBytesMax: 1024, services: {}, log }),
      failsWith('INVALID_ARGUMENT'),
    );
  });
});

describe('a call that answers with a stream', () => {
  const MESSAGE = { modelVersion: 'x'.repeat(64 * 1024) };
  let server: GrpcServer;
  let client: GrpcClient;
  let handler: StreamHandler<SearchRangeRequest__Output, SearchRangeResponse>;

  before(async () => {
    server = await startGrpcServer({
      ...{ host: '127.0.0.1', port: 0, messageBytesMax: 1024 * 1024, log },
      services: {
        Retrieval: {
          SearchRange: serverStream<SearchRangeRequest__Output, SearchRangeResponse>(
            log,
            (request, send, context) => handler(request, send, context),
          ),
        },
      },
    });
    const address = `127.0.0.1:${server.port}`;
    const options = { address, service: 'Retrieval', messageBytesMax: 1024 * 1024 } as const;
    client = openGrpcClient({ ...options, unavailable: 'NOT_READY' });
  });

  after(async () => {
    client.close();
    await server.drain(1_000);
  });

  const open = () => client.serverStream<object, SearchRangeResponse>('SearchRange', {});

  it('goes no faster than its reader, and stops where the reader cancels', async () => {
    let sent = 0;
    const ended = new Promise<unknown>((resolve) => {
      handler = async (_, send) => {
        try {
          for (; sent < 10_000; sent++) await send(MESSAGE);
        } catch (error) {
          resolve(error);
          throw error;
        }
      };
    });
    const call = open();
    call.on('error', () => undefined);
    await call[Symbol.asyncIterator]().next();
    // nobody reads on: buffers on the way fill up, and then nothing is sent any more
    let before = -1;
    for (let settled = 0; settled < 5;) {
      await systemClock.sleep(50);
      settled = sent > 0 && sent === before ? settled + 1 : 0;
      before = sent;
    }
    assert.ok(sent < 1_000, `${sent} messages of 64 KiB wait for the reader`);
    call.cancel();
    assert.equal(((await ended) as KinscanError).code, 'DEADLINE_EXCEEDED');
  });

  it('ends with the code of an error, behind what was sent before', async () => {
    handler = async (_, send) => {
      await send({ partitionsAnswered: 1 });
      throw new KinscanError('INCOMPLETE_RESULT', 'a partition is missing', { retryAfterMs: 5 });
    };
    const seen: SearchRangeResponse[] = [];
    const read = async () => {
      for await (const message of open()) seen.push(message as SearchRangeResponse);
    };
    await assert.rejects(read, (error: Error) => client.streamError(error).code === 'INCOMPLETE_RESULT');
    assert.deepEqual(
      seen.map(({ partitionsAnswered }) => partitionsAnswered),
      [1],
    );
  });
});
