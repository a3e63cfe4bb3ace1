import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { startTemporaryCluster } from '../../bench/temporary-cluster.js';
import type { IngestDocument, SearchDocument, StatusDocument } from '../helpers/cli-documents.js';
import { runKinscan, runKinscanJson } from '../helpers/run-kinscan.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

describe('kinscan up --sample', () => {
  it('indexes the sample archive, answers from the command line, and loses nothing over a restart', async () => {
    const dataDir = await temporaryFolder();
    const cluster = await startTemporaryCluster({ flags: ['--sample'], dataDir });
    const at = ['--address', cluster.address];
    let before: SearchDocument;
    try {
      const status = await runKinscanJson<StatusDocument>('status', ...at);
      assert.equal(status.images, 300);
      assert.equal(status.deadLetters, 0);
      assert.equal(status.partitions.length, 16);
      assert.deepEqual(status.members.map(({ role }) => role).sort(), [
        'coordinator',
        'encoder',
        'shard',
        'shard',
      ]);
      before = await searchesAgreeOnASample(dataDir, at);
      await deletesAndIngestsAgain(dataDir, at);
    } finally {
      await cluster.stop();
    }
    const again = await startTemporaryCluster({ flags: ['--sample'], dataDir });
    try {
      const status = await runKinscanJson<StatusDocument>('status', '--address', again.address);
      assert.equal(status.images, 300);
      const after = await runKinscanJson<SearchDocument>(
        'search',
        '--id',
        SAMPLE_ID,
        '--address',
        again.address,
      );
      assert.deepEqual(after.hits, before.hits);
      assert.equal(after.modelVersion, before.modelVersion);
    } finally {
      await again.stop();
    }
  });
});

const SAMPLE_ID = 'head/0001.png';

/** By file and by id the same image comes first, and its neighbours are of its own region. */
async function searchesAgreeOnASample(dataDir: string, at: readonly string[]): Promise<SearchDocument> {
  const byId = await runKinscanJson<SearchDocument>('search', '--id', SAMPLE_ID, ...at);
  const byImage = await runKinscanJson<SearchDocument>(
    'search',
    path.join(dataDir, 'sample', SAMPLE_ID),
    ...at,
  );
  assert.deepEqual(byImage.hits, byId.hits);
  assert.equal(byId.hits.length, 10);
  assert.equal(byId.hits[0]?.distance, 0);
  assert.equal(byId.partitionsAnswered, byId.partitionsTotal);
  assert.match(byId.modelVersion, /^[0-9a-f]{64}$/);
  assert.ok(byImage.timingsMs.encode > 0 && byImage.timingsMs.total >= byImage.timingsMs.encode);
  const sameRegion = byId.hits.filter((hit) => hit.metadata['label'] === 'head').length;
  assert.ok(sameRegion >= 9, `${sameRegion} of 10 neighbours are of the same region`);
  const all = await runKinscanJson<SearchDocument>('search', '--id', SAMPLE_ID, '-k', '10000', ...at);
  assert.equal(all.hits.length, 300);
  assert.equal(new Set(all.hits.map(({ id }) => id)).size, 300);
  return byId;
}

async function deletesAndIngestsAgain(dataDir: string, at: readonly string[]): Promise<void> {
  const region = readdirSync(path.join(dataDir, 'sample')).sort()[0] as string;
  const folder = path.join(dataDir, 'sample', region);
  const ids = readdirSync(folder).map((name) => `${region}/${name}`);
  const deletion = await runKinscanJson<object>('delete', ...ids, 'no/such.png', ...at);
  assert.deepEqual(deletion, { deleted: ids.length, missing: 1 });
  assert.equal((await runKinscanJson<StatusDocument>('status', ...at)).images, 300 - ids.length);
  const gone = await runKinscan('search', '--id', ids[0] as string, ...at);
  assert.equal(gone.exitCode, 1);
  assert.match(gone.stderr, /^kinscan: IMAGE_NOT_FOUND: .*\n$/);
  const ingest = await runKinscanJson<IngestDocument>(
    'ingest',
    path.join(dataDir, 'sample'),
    '--wait',
    'indexed',
    '--label-from-folder',
    ...at,
  );
  assert.equal(ingest.accepted, 300);
  assert.deepEqual(ingest.failed, []);
  assert.equal((await runKinscanJson<StatusDocument>('status', ...at)).images, 300);
}
