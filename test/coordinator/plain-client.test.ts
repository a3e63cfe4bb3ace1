import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { contentImageId } from '../../src/core/image-id.js';
import { packageRoot } from '../../src/runtime/package-root.js';
import { phantomPng } from '../encoder/test-images.js';
import { startHarness, type CoordinatorHarness } from './coordinator-harness.js';

let harness: CoordinatorHarness;
let folder: string;

before(async () => {
  harness = await startHarness();
  folder = await mkdtemp(path.join(tmpdir(), 'kinscan-plain-'));
});
after(async () => {
  await harness.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The programs of docs/api.md, in order. */
async function programs(): Promise<string[]> {
  const page = await readFile(path.join(packageRoot(), 'docs', 'api.md'), 'utf8');
  return [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program = '']) => program);
}

/** Runs a program in a process of its own; the JSON lines that it prints. */
async function run(program: string | undefined, env: NodeJS.ProcessEnv): Promise<unknown[]> {
  assert.ok(program !== undefined);
  // packages are found from the repository's folder; kinscan itself must not be
  assert.doesNotMatch(program, /from '[./]|kinscan\/(src|dist)/);
  const child = spawn(process.execPath, ['--input-type=module', '-'], {
    cwd: packageRoot(),
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stdin.end(program);
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0);
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

describe('a client that has only docs/api.md', () => {
  it('ingests and searches through server reflection alone', async () => {
    const image = await phantomPng(3);
    const file = path.join(folder, 'image.png');
    await writeFile(file, image);
    const [program] = await programs();
    const lines = await run(program, {
      KINSCAN_ADDRESS: `127.0.0.1:${harness.coordinator.port}`,
      IMAGE: file,
    });
    assert.deepEqual(lines, [
      { ingested: contentImageId(image), reached: 'INGEST_WAIT_INDEXED' },
      { imageId: contentImageId(image), distance: 0 },
    ]);
  });

  it('sees error codes and the status with the proto files', async () => {
    const [, program] = await programs();
    const lines = await run(program, { KINSCAN_ADDRESS: `127.0.0.1:${harness.coordinator.port}` });
    assert.deepEqual(lines, [
      { status: 5, code: 'IMAGE_NOT_FOUND' },
      { images: 1, members: 4 },
    ]);
  });

  it('filters, groups and streams a range', async () => {
    const scans = [
      { imageId: 'mine', studyInstanceUid: '1.1', modality: 'CT', studyDate: 20240101 },
      { imageId: 'next to mine', studyInstanceUid: '1.1', modality: 'CT', studyDate: 20240101 },
      { imageId: 'new', studyInstanceUid: '1.2', modality: 'CT', studyDate: 20240301 },
      { imageId: 'old', studyInstanceUid: '1.3', modality: 'CT', studyDate: 20231231 },
      { imageId: 'other', studyInstanceUid: '1.4', modality: 'MR', studyDate: 20240301 },
    ];
    // the same picture, so that all are at distance 0
    const content = Buffer.from(await phantomPng(3));
    const responses = await harness.ingest(
      scans.map(({ imageId, ...metadata }) => {
        return { requestId: imageId, imageId, content, metadata, wait: 'INGEST_WAIT_INDEXED' as const };
      }),
    );
    for (const { rejected } of responses.values()) assert.equal(rejected ?? undefined, undefined);
    const [, , program] = await programs();
    const lines = await run(program, {
      KINSCAN_ADDRESS: `127.0.0.1:${harness.coordinator.port}`,
      IMAGE_ID: 'mine',
    });
    assert.deepEqual(lines, [{ study: '1.2' }, { images: 4 }]);
  });
});
