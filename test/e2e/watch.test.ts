import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { startTemporaryCluster } from '../../bench/temporary-cluster.js';
import { openCoordinatorClient } from '../../src/cli/options.js';
import type { SearchResponse__Output } from '../../src/generated/kinscan/v1/SearchResponse.js';
import type { StatusResponse__Output } from '../../src/generated/kinscan/v1/StatusResponse.js';
import type { GrpcClient } from '../../src/runtime/grpc-client.js';
import { multiFrameDicom, phantomPng } from '../encoder/test-images.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitUntil } from '../helpers/wait-until.js';

const CALL = { timeoutMs: 10_000 };

describe('kinscan up --watch', () => {
  it('indexes new and changed files and deletes removed ones, also what happened while it was down', async () => {
    const root = await temporaryFolder();
    const dataDir = path.join(root, 'data');
    const folder = await temporaryFolder();
    const file = (name: string) => path.join(folder, name);
    const start = () => startTemporaryCluster({ dataDir, flags: ['--watch', folder] });
    writeFileSync(file('a.png'), await phantomPng(1));
    writeFileSync(file('b.png'), await phantomPng(2));
    writeFileSync(file('frames.dcm'), multiFrameDicom(3));

    const first = await start();
    const grpc = openCoordinatorClient(first.address);
    await imagesBecome(grpc, 5);
    writeFileSync(file('c.png'), await phantomPng(3));
    await imagesBecome(grpc, 6);
    const before = await codeOf(grpc, 'a.png');
    // written beside and renamed, as careful writers do
    writeFileSync(path.join(root, 'next.png'), await phantomPng(4));
    renameSync(path.join(root, 'next.png'), file('a.png'));
    await waitUntil(
      'the changed file to get its new code',
      async () => (await codeOf(grpc, 'a.png')) !== before,
    );
    rmSync(file('frames.dcm'));
    await imagesBecome(grpc, 3);
    grpc.close();
    await first.stop();

    rmSync(file('b.png'));
    writeFileSync(file('d.png'), await phantomPng(5));
    const second = await start();
    const again = openCoordinatorClient(second.address);
    await waitUntil('the index to catch up with the folder', async () => {
      const ids = (await search(again, 'a.png')).hits.map((hit) => hit.imageId).sort();
      return ids.join() === 'a.png,c.png,d.png';
    });
    again.close();
    await second.stop();
  });
});

function imagesBecome(grpc: GrpcClient, images: number): Promise<unknown> {
  return waitUntil(
    `${images} images`,
    async () => (await grpc.call<object, StatusResponse__Output>('Status', {}, CALL)).images === images,
  );
}

function search(grpc: GrpcClient, imageId: string): Promise<SearchResponse__Output> {
  return grpc.call<object, SearchResponse__Output>('Search', { imageId, k: 100 }, CALL);
}

async function codeOf(grpc: GrpcClient, imageId: string): Promise<string> {
  return (await search(grpc, imageId)).code?.bits.toString('hex') ?? '';
}
