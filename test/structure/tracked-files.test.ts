import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from './source-tree.js';

const FILE_BYTES_MAX = 1_000_000;
const MODELS_BYTES_MAX = 12_000_000;

function trackedFiles(): string[] | undefined {
  const { status, stdout } = spawnSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) return undefined;
  return stdout.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

const tracked = trackedFiles();
const skip = tracked === undefined ? 'this is no git checkout, or there is no git' : false;
const files = (tracked ?? []).map((path) => ({ path, bytes: readFileSync(join(ROOT, path)) }));

/** The first bytes of image and array files: what they are, whatever they are called. */
function isImageOrData(bytes: Buffer): boolean {
  const startsWith = (signature: string) =>
    bytes.subarray(0, signature.length / 2).toString('hex') === signature;
  const signatures = [
    '89504e47',
    'ffd8ff',
    '47494638',
    '424d',
    '49492a00',
    '4d4d002a',
    '894844460d0a',
    '934e554d5059',
  ];
  return (
    bytes.subarray(128, 132).toString('latin1') === 'DICM' ||
    (bytes.subarray(0, 4).toString('latin1') === 'RIFF' &&
      bytes.subarray(8, 12).toString('latin1') === 'WEBP') ||
    signatures.some(startsWith)
  );
}

describe('the files in the repository', { skip }, () => {
  it('hold no image and no data set', () => {
    const extensions = /\.(png|jpe?g|tiff?|gif|bmp|webp|dcm|dicom|nii|h5|npy|npz|zip|gz|tar|parquet)$/i;
    const faults = files.filter(({ path, bytes }) => extensions.test(path) || isImageOrData(bytes));
    assert.deepEqual(
      faults.map(({ path }) => path),
      [],
    );
    assert.ok(files.length > 30, 'the files were found');
  });

  it('are small, and the models together under 12 MB', () => {
    const large = files.filter(
      ({ path, bytes }) => !path.startsWith('models/') && bytes.length > FILE_BYTES_MAX,
    );
    assert.deepEqual(
      large.map(({ path }) => path),
      [],
    );
    const models = files.filter(({ path }) => path.startsWith('models/'));
    const modelsBytes = models.reduce((sum, { bytes }) => sum + bytes.length, 0);
    assert.ok(modelsBytes <= MODELS_BYTES_MAX, `models/ holds ${modelsBytes} bytes`);
  });

  it('name no path of one machine', () => {
    // spelt in pieces, so that this file does not name one itself
    const machinePaths = new RegExp(
      ['work/(main|shared)', 'root/', 'home/[a-z]+/', 'tmp/[a-z]*data']
        .map((path) => `(^|[^\\w./*-])/${path}`)
        .join('|'),
      'm',
    );
    const faults = files
      .filter(({ path }) => path !== 'package-lock.json' && !path.startsWith('models/'))
      .filter(({ bytes }) => machinePaths.test(bytes.toString('utf8')));
    assert.deepEqual(
      faults.map(({ path }) => path),
      [],
    );
  });

  it('hold nothing that set-up makes', () => {
    const made = /^(node_modules|dist|build|coverage|data|\.cache|src\/generated)\//;
    assert.deepEqual(
      files.map(({ path }) => path).filter((path) => made.test(path)),
      [],
    );
  });
});
