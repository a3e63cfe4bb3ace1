import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Code__Output } from '../../src/generated/kinscan/v1/Code.js';
import type { GetImageResponse__Output } from '../../src/generated/kinscan/v1/GetImageResponse.js';
import { startHarness, TIMEOUT_MS, type CoordinatorHarness } from '../coordinator/coordinator-harness.js';
import { phantomPng } from '../encoder/test-images.js';
import type { IngestDocument, SearchDocument } from '../helpers/cli-documents.js';
import { runKinscan, runKinscanJson } from '../helpers/run-kinscan.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

const IMAGES = 24;

interface RangeDocument extends Omit<SearchDocument, 'timingsMs'> {
  readonly exhausted: boolean;
}

const studyOf = (n: number) => `1.2.${n % 5}`;
const idOf = (n: number) => `scans/${n}.png`;

describe('questions on the command line', () => {
  let harness: CoordinatorHarness;
  let at: string[];
  let folder: string;

  before(async () => {
    harness = await startHarness({ fineCodeBits: 64 });
    at = ['--address', `127.0.0.1:${harness.coordinator.port}`];
    folder = mkdtempSync(path.join(tmpdir(), 'kinscan-questions-'));
    mkdirSync(path.join(folder, 'scans'));
    const lines: string[] = [];
    for (let n = 0; n < IMAGES; n++) {
      writeFileSync(path.join(folder, idOf(n)), await phantomPng(n));
      const studyDate = 20240101 + (n % 5);
      lines.push(JSON.stringify({ path: idOf(n), modality: 'CT', studyInstanceUid: studyOf(n), studyDate }));
    }
    writeFileSync(path.join(folder, '.metadata.jsonl'), `${lines.join('\n')}\n`);
    const report = await runKinscanJson<IngestDocument>(
      ...['ingest', folder, '--wait', 'indexed', '--label-from-folder'],
      ...['--metadata', path.join(folder, '.metadata.jsonl'), ...at],
    );
    assert.equal(report.accepted, IMAGES);
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await harness.stop();
  });

  const search = (...args: string[]) =>
    runKinscanJson<SearchDocument>('search', '--id', idOf(0), '-k', '100', ...args, ...at);
  const studiesOf = ({ hits }: Pick<SearchDocument, 'hits'>) =>
    new Set(hits.map(({ metadata }) => metadata['studyInstanceUid']));

  it('can be filtered by what the metadata file said', async () => {
    const all = await search();
    assert.equal(all.hits.length, IMAGES);
    assert.deepEqual(all.hits.find(({ id }) => id === idOf(7))?.metadata, {
      ...{ modality: 'CT', label: 'scans', studyInstanceUid: studyOf(7), studyDate: 20240103 },
      ...{ rows: 128, columns: 128 },
    });
    const filtered = await search('--study', studyOf(1), '--study', studyOf(2), '--label', 'scans');
    assert.deepEqual(studiesOf(filtered), new Set([studyOf(1), studyOf(2)]));
    assert.deepEqual(
      filtered.hits,
      all.hits.filter(({ metadata }) =>
        [studyOf(1), studyOf(2)].includes(String(metadata['studyInstanceUid'])),
      ),
    );
    const dated = await search('--from-date', '2024-01-04', '--to-date', '20240105', '--modality', 'CT');
    assert.deepEqual(studiesOf(dated), new Set([studyOf(3), studyOf(4)]));
    assert.ok(!studiesOf(await search('--exclude-same-study')).has(studyOf(0)));
    assert.equal((await search('--modality', 'MR')).hits.length, 0);
  });

  it('can be asked with the codes that an image has in the gallery', async () => {
    const { code, fineCode } = await harness.retrieval.call<object, GetImageResponse__Output>(
      'GetImage',
      { imageId: idOf(3) },
      { timeoutMs: TIMEOUT_MS },
    );
    const hex = (some: Code__Output | null) => some?.bits.toString('hex') ?? '';
    const codes = ['--code', hex(code), '--fine-code', hex(fineCode)];
    const byCodes = await runKinscanJson<SearchDocument>('search', ...codes, '-k', '5', ...at);
    const byId = await runKinscanJson<SearchDocument>('search', '--id', idOf(3), '-k', '5', ...at);
    assert.deepEqual(byCodes.hits, byId.hits);
    assert.equal((await runKinscan('search', '--fine-code', '00', '--id', idOf(3), ...at)).exitCode, 2);
  });

  it('can be grouped', async () => {
    const grouped = await search('--group-by', 'study');
    assert.equal(grouped.hits.length, 5);
    assert.equal(studiesOf(grouped).size, 5);
    assert.equal(grouped.hits[0]?.distance, 0);
    assert.equal((await search('--group-by', 'patient')).hits.length, IMAGES, 'none has a patient');
  });

  it('of a range give one JSON document however many pages there are', async () => {
    const range = (...args: string[]) =>
      runKinscanJson<RangeDocument>('range', '--id', idOf(0), '-d', '48', ...args, ...at);
    const all = await range();
    assert.deepEqual(all.hits, (await search()).hits);
    const { hits: _, ...rest } = all;
    const answered = { partitionsAnswered: 4, partitionsTotal: 4 };
    assert.deepEqual(rest, { ...answered, modelVersion: harness.modelVersion, exhausted: true });
    const limited = await range('--limit', '3');
    assert.deepEqual([limited.hits, limited.exhausted], [all.hits.slice(0, 3), false]);
    const nothing = await range('--label', 'nowhere');
    assert.deepEqual([nothing.hits, nothing.exhausted], [[], true]);
  });

  it('of a range give people a line an image', async () => {
    const { stdout, stderr, exitCode } = await runKinscan('range', '--id', idOf(0), '-d', '48', ...at);
    assert.equal(exitCode, 0);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, IMAGES);
    assert.match(lines[0] ?? '', /^0\tscans\/\d+\.png\tscans\tCT$/);
    assert.match(stderr, /24 results, from 4 of 4 partitions/);
  });

  it('that are wrong end with one clear line', async () => {
    const usage = [
      ['search', '--id', 'x', '--from-date', '2024-02-30'],
      ['search', '--id', 'x', '--group-by', 'hospital'],
      ['search', '--id', 'x', 'file.png'],
      ['range', '--id', 'x'],
    ];
    for (const args of usage) assert.equal((await runKinscan(...args, ...at)).exitCode, 2, args.join(' '));
    const refused: [string, string[]][] = [
      ['INVALID_FILTER', ['search', '--id', idOf(0), '--study', 'no uid']],
      ['INVALID_FILTER', ['range', '--id', idOf(0), '-d', '1', '--patient-hash', 'Doe']],
      ['QUERY_VALUE_UNKNOWN', ['search', '--id', idOf(0), '--exclude-same-patient']],
      ['IMAGE_NOT_FOUND', ['range', '--id', 'nobody', '-d', '1']],
      ['INVALID_ARGUMENT', ['ingest', folder, '--metadata', path.join(folder, idOf(0))]],
    ];
    for (const [code, args] of refused) {
      const { exitCode, stderr } = await runKinscan(...args, ...at);
      assert.equal(exitCode, 1);
      assert.match(stderr.trimEnd(), new RegExp(`^kinscan: ${code}: .+$`));
    }
  });
});

describe('a metadata file', () => {
  it('is refused with the line that is wrong', async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, 'metadata.jsonl');
    const cases = {
      'line 2: is no JSON': '{"path":"a"}\n{',
      'line 1: is no JSON object': '7',
      'line 1: has no path': '{"label":"x"}',
      'line 1: has the key patientName': '{"path":"a","patientName":"Doe"}',
      'line 1: has a studyDate that is no number': '{"path":"a","studyDate":"2024"}',
    };
    for (const [message, text] of Object.entries(cases)) {
      writeFileSync(file, text);
      const { exitCode, stderr } = await runKinscan('ingest', folder, '--metadata', file);
      assert.equal(exitCode, 1);
      assert.ok(stderr.includes(message), stderr);
      assert.ok(!stderr.includes('Doe'));
    }
  });
});
