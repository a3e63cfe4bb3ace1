import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, it } from 'node:test';
import type { ClusterView } from '../../src/coordinator/cluster-view.js';
import { Deadline } from '../../src/coordinator/deadline.js';
import { scatter, type ScatterQuery } from '../../src/coordinator/scatter.js';
import { ShardServers } from '../../src/coordinator/shard-servers.js';
import type { ShardSearchRequest__Output } from '../../src/generated/kinscan/v1/ShardSearchRequest.js';
import type { ShardSearchResponse } from '../../src/generated/kinscan/v1/ShardSearchResponse.js';
import type { KinscanError } from '../../src/core/errors.js';
import { systemClock } from '../../src/runtime/clock.js';
import { startGrpcServer, unary } from '../../src/runtime/grpc-server.js';
import { createLog } from '../../src/runtime/log.js';
import { searchGroups } from '../../src/shard/search/search-groups.js';
import { AttributeTable } from '../../src/shard/attributes/attribute-table.js';
import { packAttributes } from '../../src/shard/attributes/attribute-set.js';

const log = createLog('test', 'test', 'silent');
// for so many hits that it goes by a call of its own; shard-search-stream.test.ts has the others
const QUERY: ScatterQuery = {
  ...{ code: { bits: Buffer.alloc(6), codeBits: 48 }, fineCode: null, k: 1_000, maxDistance: undefined },
  ...{ ranking: 'RANKING_HAMMING', modelVersion: '', token: [], includeThumbnails: false },
  ...{ filter: null, groupBy: 'GROUP_BY_UNSPECIFIED', after: null },
};

describe('a query that its client cancels', () => {
  it('is cancelled at the shard servers that work on it', { timeout: 20_000 }, async (test) => {
    const searches = new EventEmitter();
    const [started, stopped] = [once(searches, 'start'), once(searches, 'stop')];
    // a shard server that takes for ever, but for the signal that its index gets too
    const server = await startGrpcServer({
      ...{ host: '127.0.0.1', port: 0, messageBytesMax: 1024 * 1024, log },
      services: {
        Shard: {
          Search: unary<ShardSearchRequest__Output, ShardSearchResponse>(log, (_, { signal }) => {
            searches.emit('start');
            return new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                searches.emit('stop', signal.reason);
                reject(signal.reason as Error);
              });
            });
          }),
        },
      },
    });
    const cluster = {
      partitionCount: 1,
      placement: () => ({ epoch: 1, replicas: [['s']] }),
      liveIds: () => new Set(['s']),
      lastKnown: () => ({ address: `127.0.0.1:${server.port}` }),
    } as unknown as ClusterView;
    const shardServers = new ShardServers(cluster);
    test.after(async () => {
      shardServers.close();
      await server.drain(1_000);
    });
    const client = new AbortController();
    const deadline = new Deadline(systemClock, 60_000, client.signal);
    const gathered = scatter(QUERY, cluster, shardServers, deadline);
    await started;
    client.abort(new Error('cancelled'));
    const [reason] = (await stopped) as [KinscanError];
    assert.equal(reason.code, 'DEADLINE_EXCEEDED');
    assert.deepEqual((await gathered).answers, []);
  });

  it('begins no further round of a grouped search', async () => {
    const table = new AttributeTable();
    const set = table.intern(packAttributes({ studyInstanceUid: '1' }));
    const client = new AbortController();
    let rounds = 0;
    const search = searchGroups({
      ...{ k: 5, field: 'studyInstanceUid', table, filter: undefined, signal: client.signal },
      find: (k) => {
        rounds++;
        client.abort(new Error('cancelled'));
        const hits = {
          count: k,
          distances: new Uint16Array(k),
          fineDistances: new Uint16Array(k),
          tieKeys: new BigUint64Array(k),
          imageIds: Array.from({ length: k }, (_, i) => `${i}`),
        };
        const summaries = Array.from({ length: k }, () => new Uint8Array(0));
        return Promise.resolve({ hits, attributes: new Uint32Array(k).fill(set), summaries });
      },
    });
    await assert.rejects(search, { message: 'cancelled' });
    assert.equal(rounds, 1);
  });
});
