import assert from 'node:assert/strict';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startTemporaryCluster, type TemporaryCluster } from '../../bench/temporary-cluster.js';
import { KinscanError } from '../../src/core/errors.js';
import { IngestClient } from '../../src/cli/ingest/ingest-client.js';
import { openCoordinatorClient } from '../../src/cli/options.js';
import { systemClock } from '../../src/runtime/clock.js';
import { dicomWithoutPixels, phantomJpeg, phantomPng } from '../encoder/test-images.js';
import type {
  DeadLettersDocument,
  IngestDocument,
  SearchDocument,
  StatusDocument,
} from '../helpers/cli-documents.js';
import { emptyPng } from '../helpers/raster-builder.js';
import { runKinscan, runKinscanJson } from '../helpers/run-kinscan.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitUntil } from '../helpers/wait-until.js';

const MIB = 1024 * 1024;

/** File name -> the code it must get. */
const BAD_FILES: Readonly<Record<string, string>> = {
  'empty.png': 'EMPTY_IMAGE',
  'text.png': 'UNSUPPORTED_FORMAT',
  'truncated.jpg': 'CORRUPT_IMAGE',
  'bomb.png': 'PIXEL_LIMIT_EXCEEDED',
  'no-pixels.dcm': 'NO_PIXEL_DATA',
  'huge.png': 'IMAGE_TOO_LARGE',
};

describe('bad input to a running cluster', () => {
  let cluster: TemporaryCluster;
  let at: string[];

  before(async () => {
    cluster = await startTemporaryCluster();
    at = ['--address', cluster.address];
  });

  after(() => cluster.stop());

  it('gets its own code file by file, while the good files among it are indexed', async () => {
    const folder = await writeMixedFolder(await temporaryFolder());
    const report = await runKinscanJson<IngestDocument>('ingest', folder, '--wait', 'indexed', ...at);
    const codes = Object.fromEntries(
      report.failed.map((failure) => [path.basename(failure.path), failure.code]),
    );
    assert.deepEqual(codes, BAD_FILES);
    assert.equal(report.accepted, 3);
    assert.equal((await runKinscanJson<StatusDocument>('status', ...at)).images, 3);
    const good = await runKinscanJson<SearchDocument>('search', path.join(folder, 'good-1.png'), ...at);
    assert.equal(good.hits[0]?.distance, 0);
  });

  it('is kept as dead letters with its reason, can be looked at, retried and dropped', async () => {
    const listed = await waitUntil('dead letters', async () => {
      const document = await runKinscanJson<DeadLettersDocument>('dead-letters', 'list', ...at);
      return document.total >= 4 ? document : undefined;
    });
    const codes = Object.fromEntries(listed.deadLetters.map(({ id, code }) => [id, code]));
    for (const name of ['text.png', 'truncated.jpg', 'bomb.png']) assert.equal(codes[name], BAD_FILES[name]);
    const first = listed.deadLetters[0] ?? assert.fail('no dead letter');
    const shown = await runKinscanJson<{ id: string; code: string }>(
      'dead-letters',
      'show',
      String(first.sequence),
      ...at,
    );
    assert.equal(shown.id, first.id);
    assert.deepEqual(await runKinscanJson('dead-letters', 'retry', String(first.sequence), ...at), {
      retried: 1,
      missing: 0,
    });
    // still bad, so it comes back under another sequence
    await waitUntil('the dead letter to come back', async () => {
      const { deadLetters } = await runKinscanJson<DeadLettersDocument>('dead-letters', 'list', ...at);
      return deadLetters.some(({ id, sequence }) => id === first.id && sequence > first.sequence);
    });
    assert.deepEqual(await runKinscanJson('dead-letters', 'drop', '--all', ...at), {
      dropped: listed.total,
      missing: 0,
    });
    assert.equal((await runKinscanJson<DeadLettersDocument>('dead-letters', 'list', ...at)).total, 0);
    const missing = await runKinscan('dead-letters', 'show', '999999', ...at);
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /DEAD_LETTER_NOT_FOUND/);
  });

  it('in a query is refused with one line and exit code 1', async () => {
    const folder = await writeMixedFolder(await temporaryFolder());
    const cases: readonly (readonly [string, string[]])[] = [
      ['INVALID_K', ['--id', 'good-1.png', '-k', '0']],
      ['INVALID_K', ['--id', 'good-1.png', '-k', '1000000000']],
      ['CODE_LENGTH_MISMATCH', ['--code', 'ffff']],
      ['INVALID_ARGUMENT', ['--code', 'xyz']],
      ['INVALID_IMAGE_ID', ['--id', 'x'.repeat(10_000)]],
      ['IMAGE_NOT_FOUND', ['--id', 'nobody']],
      ...Object.entries(BAD_FILES).map(
        ([name, code]) => [code, [path.join(folder, name)]] as [string, string[]],
      ),
    ];
    for (const [code, args] of cases) {
      const run = await runKinscan('search', ...args, ...at);
      assert.equal(run.exitCode, 1, `${code}: ${run.stderr}`);
      assert.match(run.stderr, new RegExp(`^kinscan: ${code}: [^\\n]+\\n$`));
      assert.equal(run.stdout, '');
    }
  });

  it('on the command line is wrong usage with exit code 2', async () => {
    for (const args of [
      ['search'],
      ['search', '--id', 'a', '--code', 'ff'],
      ['ingest'],
      ['frobnicate'],
      ['up', '--shards', 'many'],
      ['status', '--no-such-flag'],
      ['shard', '--no-such-flag'],
    ]) {
      const run = await runKinscan(...args);
      assert.equal(run.exitCode, 2, `${args.join(' ')}: ${run.stderr}`);
    }
  });

  it('over gRPC is refused image by image on a stream that goes on', async () => {
    const grpc = openCoordinatorClient(cluster.address);
    const client = new IngestClient({ client: grpc, clock: systemClock, retryTimeoutMs: 0 });
    const content = await phantomPng(7);
    const withCode = (code: string) => (error: unknown) =>
      error instanceof KinscanError && error.code === code;
    await assert.rejects(
      client.ingest({ imageId: 'x'.repeat(10_000), content }),
      withCode('INVALID_IMAGE_ID'),
    );
    await assert.rejects(
      client.ingest({ imageId: 'control\u0000character', content }),
      withCode('INVALID_IMAGE_ID'),
    );
    await assert.rejects(
      client.ingest({ imageId: 'nothing', content: Buffer.alloc(0) }),
      withCode('EMPTY_IMAGE'),
    );
    const accepted = await client.ingest({ imageId: 'fine', content, wait: 'INGEST_WAIT_INDEXED' });
    assert.equal(accepted.imageId, 'fine');
    client.close();
    grpc.close();
  });
});

async function writeMixedFolder(root: string): Promise<string> {
  const folder = path.join(root, 'mixed');
  mkdirSync(folder);
  const write = (name: string, bytes: Uint8Array | string) => writeFileSync(path.join(folder, name), bytes);
  write('empty.png', '');
  write('text.png', 'this is no picture');
  const jpeg = await phantomJpeg(1);
  write('truncated.jpg', jpeg.subarray(0, Math.floor(jpeg.length / 2)));
  write('bomb.png', emptyPng(30_000, 30_000));
  write('no-pixels.dcm', dicomWithoutPixels());
  write('huge.png', await phantomPng(2));
  truncateSync(path.join(folder, 'huge.png'), 200 * MIB);
  for (const n of [1, 2, 3]) write(`good-${n}.png`, await phantomPng(n));
  return folder;
}
