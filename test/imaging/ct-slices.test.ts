import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { decodeImage } from '../../src/imaging/decode-image.js';
import { imageSet } from '../helpers/image-sets.js';

const folder = imageSet('siim_ct');

describe('real CT slices', { skip: folder === undefined && 'siim_ct is absent' }, () => {
  const files = folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith('.dcm'));

  it('are all decoded, with their metadata and more grays than 8 bits hold', async () => {
    assert.equal(files.length, 40);
    for (const file of files) {
      const { frame, metadata } = await decodeImage(readFileSync(path.join(folder as string, file)));
      assert.deepEqual([frame.width, frame.height], [512, 512]);
      assert.equal(metadata.modality, 'CT');
      for (const uid of [metadata.studyInstanceUid, metadata.seriesInstanceUid, metadata.sopInstanceUid]) {
        assert.match(uid ?? '', /^[0-9.]+$/);
      }
      assert.ok(new Set(frame.pixels).size > 256, file);
      // a slice shows a body before air: both ends of the range are in use, and neither fills the picture
      const bright = frame.pixels.filter((value) => value > 0.1).length / frame.pixels.length;
      assert.ok(bright > 0.1 && bright < 1, `${file}: ${bright}`);
    }
  });
});
