import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkNodeVersion, nodeVersionFault } from '../../scripts/setup/node-version.mjs';
import { SetupError } from '../../scripts/setup/progress.mjs';

describe('the Node.js version check', () => {
  it('accepts 20.19 and newer, below 23', () => {
    for (const version of ['20.19.0', '20.20.2', '21.0.0', '22.12.0']) {
      assert.equal(nodeVersionFault(version), undefined, version);
    }
  });

  it('refuses older and newer ones in one line that names the version', () => {
    for (const version of ['18.20.4', '20.18.3', '23.0.0', '24.1.0']) {
      assert.throws(
        () => checkNodeVersion(version),
        (error) =>
          error instanceof SetupError && error.message.includes(version) && !error.message.includes('\n'),
      );
    }
  });
});
