import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Random } from '../../src/core/random.js';
import { encodeGrayPng } from '../../src/imaging/raster.js';
import { saveModel } from '../../src/model/artefact.js';
import { hashingNetwork } from '../../src/model/network.js';
import { initialWeights } from '../../src/model/weights.js';
import { packageRoot } from '../../src/runtime/package-root.js';

const run = promisify(execFile);
const SIZE = 16;
const KINSCAN = join(packageRoot(), 'dist', 'src', 'cli', 'main.js');

interface Failure {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('kinscan evaluate', () => {
  let root: string;
  let model: string;
  let data: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'kinscan-evaluate-command-'));
    model = join(root, 'model');
    data = join(root, 'data');
    const network = hashingNetwork({ inputSize: SIZE, codeBits: 16, fineCodeBits: 32 });
    await saveModel(model, {
      network,
      weights: initialWeights(network, 1),
      standardisation: { mean: 0.5, std: 0.25 },
      classNames: ['left', 'right'],
      training: {},
      metrics: {},
    });
    const random = new Random(5);
    for (const [label, name] of ['left', 'right'].entries()) {
      await mkdir(join(data, name), { recursive: true });
      for (let i = 0; i < 10; i++) {
        const pixels = Uint8Array.from({ length: SIZE * SIZE }, (_, at) =>
          Math.floor((at % SIZE) / (SIZE / 2)) === label ? 200 + random.integer(50) : random.integer(50),
        );
        await writeFile(join(data, name, `${i}.png`), await encodeGrayPng(pixels, SIZE, SIZE));
      }
    }
    await writeFile(join(data, 'left', 'notes.txt'), 'not an image');
  });
  after(() => rm(root, { recursive: true, force: true }));

  const evaluate = (...flags: string[]) =>
    run(process.execPath, [KINSCAN, 'evaluate', '--model', model, '--threads', '1', ...flags]);

  it('prints one JSON document with the figures of the contract', async () => {
    const { stdout, stderr } = await evaluate('--data', data, '--queries', '5', '--top', '10', '--json');
    const report = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(report['bits'], 16);
    assert.equal(report['queries'], 5);
    assert.equal(report['gallery'], 15);
    assert.equal(report['skipped'], 1);
    for (const name of ['mapAtK', 'mapAtKWorstTies', 'mapAtKBestTies', 'precisionAtK']) {
      assert.deepEqual(Object.keys(report[name] as object), ['5', '10']);
    }
    for (const name of ['distinctCodes', 'largestBucket', 'millisPerQuery'])
      assert.ok((report[name] as number) > 0);
    assert.match(stderr, /1 file left out: UNSUPPORTED_FORMAT/);
  });

  it('reports FINE beside HAMMING', async () => {
    const { stdout } = await evaluate('--data', data, '--queries', '5', '--top', '10', '--json');
    const { fine, mapByClass } = JSON.parse(stdout) as {
      fine: { bits: number; mapAtK: object; mapAtKWorstTies: object; mapByClass: number[] };
      mapByClass: number[];
    };
    assert.equal(fine.bits, 32);
    assert.deepEqual(Object.keys(fine.mapAtK), ['5', '10']);
    assert.deepEqual(Object.keys(fine.mapAtKWorstTies), ['5', '10']);
    assert.equal(fine.mapByClass.length, mapByClass.length);
  });

  it('finds changed images again with --instances, the same ones for the same seed', async () => {
    const flags = ['--data', data, '--queries', '8', '--instances', '--seed', '4', '--json'];
    const { stdout } = await evaluate(...flags);
    const report = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(report['queries'], 8);
    assert.equal(report['gallery'], 20);
    assert.equal(report['skipped'], 1);
    assert.deepEqual(Object.keys(report['rankings'] as object), ['HAMMING', 'FINE', 'FINE_ALONE']);
    assert.equal((await evaluate(...flags)).stdout, stdout);
    const table = await evaluate('--data', data, '--queries', '8', '--instances');
    assert.match(table.stdout, /original first/);
  });

  it('prints a table for people', async () => {
    const { stdout } = await evaluate('--data', data, '--queries', '5', '--top', '10');
    assert.match(stdout, /worst ties/);
    assert.match(stdout, /5 \/ 15 \(seed 1\)/);
  });

  it('fails in one line where there is nothing to evaluate', async () => {
    const fails = (flags: string[], code: number, pattern: RegExp) =>
      assert.rejects(evaluate(...flags), (error: Failure) => {
        assert.equal(error.code, code);
        assert.equal(error.stdout, '');
        assert.match(error.stderr, pattern);
        return true;
      });
    await fails(
      ['--data', join(root, 'absent'), '--queries', '5'],
      1,
      /^kinscan: INVALID_ARGUMENT: no such folder: .*\n$/,
    );
    await fails(
      ['--data', data, '--queries', '20'],
      1,
      /^kinscan: INVALID_ARGUMENT: cannot take 20 queries out of 20 images.*\n$/m,
    );
    await fails(['--data', data, '--queries', 'many'], 2, /--queries/);
  });
});
