import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listTests } from '../../scripts/run-tests.mjs';

describe('the list of tests', () => {
  it('holds the compiled TypeScript tests and the plain ones, each once', () => {
    const files = listTests();
    assert.ok(files.includes('dist/test/structure/imports.test.js'));
    assert.ok(files.includes('test/setup/run-tests.test.mjs'));
    assert.equal(new Set(files).size, files.length);
    assert.deepEqual(
      files.filter((file) => !/^(dist\/test\/.*\.test\.js|test\/.*\.test\.mjs)$/.test(file)),
      [],
    );
  });

  it('is narrowed by words of the path', () => {
    const files = listTests(['setup/lock', 'imports']);
    assert.deepEqual(files, ['dist/test/structure/imports.test.js', 'test/setup/lock.test.mjs']);
    assert.deepEqual(listTests(['no-such-test']), []);
  });
});
