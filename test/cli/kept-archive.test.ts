import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { isArchiveKept, markKept } from '../../bench/kept-archive.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

describe('the archive that kinscan bench path keeps', () => {
  it('is used again by those who want the same, and refused where it differs or was not finished', async () => {
    const folder = path.join(await temporaryFolder(), 'archive');
    const settings = { images: 10, shards: 2 };
    assert.equal(isArchiveKept(folder, settings), false);
    mkdirSync(folder);
    assert.throws(() => isArchiveKept(folder, settings), { code: 'INVALID_ARGUMENT', message: /finished/ });
    markKept(folder, settings);
    assert.equal(isArchiveKept(folder, settings), true);
    const other = { ...settings, images: 11 };
    assert.throws(() => isArchiveKept(folder, other), { code: 'INVALID_ARGUMENT', message: /other options/ });
  });
});
