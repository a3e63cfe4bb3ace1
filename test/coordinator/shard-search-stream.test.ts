import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ShardSearchStream } from '../../src/coordinator/shard-search-stream.js';
import { KinscanError } from '../../src/core/errors.js';
import type { FetchResponse } from '../../src/generated/kinscan/v1/FetchResponse.js';
import type { ShardSearchRequest__Output } from '../../src/generated/kinscan/v1/ShardSearchRequest.js';
import type { ShardSearchResponse } from '../../src/generated/kinscan/v1/ShardSearchResponse.js';
import { openGrpcClient, type GrpcClient } from '../../src/runtime/grpc-client.js';
import { duplex, startGrpcServer, type CallContext, type GrpcServer } from '../../src/runtime/grpc-server.js';
import { createLog } from '../../src/runtime/log.js';
import { CALLS_UNDER_WAY_MAX, searchStreamHandler } from '../../src/shard/search-stream.js';
import { waitUntil } from '../helpers/wait-until.js';

const log = createLog('test', 'test', 'silent');
const TIMEOUT_MS = 20_000;
const hasCode = (code: string) => (error: unknown) => error instanceof KinscanError && error.code === code;

type Search = (request: ShardSearchRequest__Output, context: CallContext) => Promise<ShardSearchResponse>;

describe('searches over one stream', () => {
  let server: GrpcServer;
  let client: GrpcClient;
  let stream: ShardSearchStream;
  let draining: AbortController;
  let search: Search;
  let fetch: (imageIds: readonly string[]) => Promise<FetchResponse>;
  let streamsOpened: number;

  beforeEach(async () => {
    streamsOpened = 0;
    search = ({ k }) => Promise.resolve({ searchMs: k });
    fetch = (imageIds) => Promise.resolve({ records: imageIds.map((imageId) => ({ imageId })) });
    draining = new AbortController();
    const serve = duplex(
      log,
      searchStreamHandler({
        search: (request, context) => search(request, context),
        fetch: ({ imageIds }) => fetch(imageIds),
        drainSignal: draining.signal,
        log,
      }),
    );
    server = await startGrpcServer({
      ...{ host: '127.0.0.1', port: 0, messageBytesMax: 1_000_000, log },
      services: {
        Shard: { SearchStream: (call: Parameters<typeof serve>[0]) => (streamsOpened++, serve(call)) },
      },
    });
    client = openGrpcClient({
      ...{ address: `127.0.0.1:${server.port}`, service: 'Shard', messageBytesMax: 1_000_000 },
      unavailable: 'SHARD_UNAVAILABLE',
    });
    stream = new ShardSearchStream(client);
  });

  afterEach(async () => {
    client.close();
    await server.drain(100);
  });

  it('are each answered with their own response, whatever the order', async () => {
    const slowFirst: Search = async ({ k }) => {
      await new Promise((resolve) => setTimeout(resolve, 50 - k));
      return { searchMs: k };
    };
    search = slowFirst;
    const asked = Array.from({ length: 50 }, (_, k) => stream.search({ k }, { timeoutMs: TIMEOUT_MS }));
    const answers = await Promise.all(asked);
    assert.deepEqual(
      answers.map(({ searchMs }) => searchMs),
      Array.from({ length: 50 }, (_, k) => k),
    );
    assert.equal(streamsOpened, 1);
  });

  it('go beside fetches, each answered with its own records', async () => {
    const [found, one, two] = await Promise.all([
      stream.search({ k: 7 }, { timeoutMs: TIMEOUT_MS }),
      stream.fetch({ imageIds: ['a'] }, { timeoutMs: TIMEOUT_MS }),
      stream.fetch({ imageIds: ['b', 'c'] }, { timeoutMs: TIMEOUT_MS }),
    ]);
    assert.equal(found.searchMs, 7);
    assert.deepEqual(
      [one, two].map(({ records }) => records.map(({ imageId }) => imageId)),
      [['a'], ['b', 'c']],
    );
    assert.equal(streamsOpened, 1);
  });

  it('and fetches fail alone: a record that is damaged is told to whoever asked for it', async () => {
    fetch = ([imageId]) =>
      imageId === 'damaged'
        ? Promise.reject(new KinscanError('CORRUPT_RECORD', 'fails its checksum'))
        : Promise.resolve({ records: [{ imageId: imageId as string }] });
    const [refused, answered] = await Promise.allSettled([
      stream.fetch({ imageIds: ['damaged'] }, { timeoutMs: TIMEOUT_MS }),
      stream.fetch({ imageIds: ['whole'] }, { timeoutMs: TIMEOUT_MS }),
    ]);
    assert.equal(answered.status, 'fulfilled');
    assert.ok(refused.status === 'rejected' && hasCode('CORRUPT_RECORD')(refused.reason));
  });

  it('fail alone, with the code and the hint of the shard server', async () => {
    search = ({ k }) =>
      k === 1
        ? Promise.reject(new KinscanError('OVERLOADED', 'too many', { retryAfterMs: 70 }))
        : Promise.resolve({ searchMs: k });
    const [refused, answered] = await Promise.allSettled([
      stream.search({ k: 1 }, { timeoutMs: TIMEOUT_MS }),
      stream.search({ k: 2 }, { timeoutMs: TIMEOUT_MS }),
    ]);
    assert.equal(answered.status, 'fulfilled');
    assert.ok(refused.status === 'rejected' && hasCode('OVERLOADED')(refused.reason));
    assert.equal((refused.reason as KinscanError).retryAfterMs, 70);
  });

  it('are cancelled at the shard server when their time is up or nobody wants them, and the others go on', async () => {
    const aborted: number[] = [];
    search = ({ k }, { signal }) =>
      k === 0
        ? Promise.resolve({ searchMs: 0 })
        : new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              aborted.push(k);
              reject(signal.reason as Error);
            });
          });
    const abort = new AbortController();
    const late = stream.search({ k: 1 }, { timeoutMs: 50 });
    const unwanted = stream.search({ k: 2 }, { timeoutMs: TIMEOUT_MS, signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await Promise.all([
      assert.rejects(late, hasCode('DEADLINE_EXCEEDED')),
      assert.rejects(unwanted, hasCode('DEADLINE_EXCEEDED')),
    ]);
    await waitUntil('both are cancelled there', () => aborted.length === 2);
    await stream.search({ k: 0 }, { timeoutMs: TIMEOUT_MS });
    assert.equal(streamsOpened, 1);
  });

  it('beyond the limit of a stream are refused, and those under way are answered', async () => {
    let answerAll: () => void = () => undefined;
    const answering = new Promise<void>((resolve) => (answerAll = resolve));
    fetch = (imageIds) => answering.then(() => ({ records: imageIds.map((imageId) => ({ imageId })) }));
    const ask = (n: number) => stream.fetch({ imageIds: [`${n}`] }, { timeoutMs: TIMEOUT_MS });
    const underWay = Array.from({ length: CALLS_UNDER_WAY_MAX }, (_, n) => ask(n));
    await assert.rejects(ask(CALLS_UNDER_WAY_MAX), hasCode('OVERLOADED'));
    answerAll();
    const answers = await Promise.all(underWay);
    answers.forEach(({ records }, n) => assert.equal(records[0]?.imageId, `${n}`));
    assert.equal((await ask(7)).records.length, 1);
  });

  it('fail when the connection breaks, and go on over another stream', async () => {
    search = ({ k }) => (k === 1 ? new Promise(() => undefined) : Promise.resolve({ searchMs: k }));
    const line = await openLine(server.port);
    const overLine = openGrpcClient({
      ...{ address: `127.0.0.1:${line.port}`, service: 'Shard', messageBytesMax: 1_000_000 },
      unavailable: 'SHARD_UNAVAILABLE',
    });
    stream = new ShardSearchStream(overLine);
    const underWay = stream.search({ k: 1 }, { timeoutMs: TIMEOUT_MS });
    await waitUntil('it is under way', () => streamsOpened === 1);
    line.cut();
    await assert.rejects(underWay, hasCode('SHARD_UNAVAILABLE'));
    await waitUntil('it answers again', async () => {
      const again = await stream.search({ k: 3 }, { timeoutMs: TIMEOUT_MS }).catch(() => undefined);
      return again?.searchMs === 3;
    });
    overLine.close();
    line.close();
    assert.equal(streamsOpened, 2);
  });

  it('under way are answered before a shard server that drains ends the stream', async () => {
    let answer: (response: ShardSearchResponse) => void = () => undefined;
    search = () => new Promise((resolve) => (answer = resolve));
    const underWay = stream.search({ k: 1 }, { timeoutMs: TIMEOUT_MS });
    await waitUntil('it is under way', () => streamsOpened === 1);
    draining.abort();
    const drained = server.drain(TIMEOUT_MS);
    setTimeout(() => answer({ searchMs: 5 }), 50);
    assert.equal((await underWay).searchMs, 5);
    const startedMs = performance.now();
    await drained;
    assert.ok(performance.now() - startedMs < TIMEOUT_MS / 2, 'the open stream does not hold up the drain');
  });
});

/** A connection that can be cut: a port that hands on to another. */
async function openLine(port: number) {
  const sockets = new Set<Socket>();
  const line = createServer((from) => {
    const to = connect(port, '127.0.0.1');
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve));
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return { port: (line.address() as AddressInfo).port, cut, close: () => (cut(), line.close()) };
}
