import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { missingOptionals, platformOf } from '../../scripts/complete-lock.mjs';
import { agreesWithLock } from '../../scripts/setup/packages.mjs';

const LOCK = {
  packages: {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b-linux-x64': { version: '2.0.0', optional: true, os: ['linux'], cpu: ['x64'] },
    'node_modules/b-darwin-arm64': { version: '2.0.0', optional: true, os: ['darwin'], cpu: ['arm64'] },
    'node_modules/c': { version: '3.0.0', optional: true },
  },
};

function installed(...names) {
  const packages = Object.fromEntries(
    names.map((name) => [`node_modules/${name}`, LOCK.packages[`node_modules/${name}`]]),
  );
  return { packages };
}

describe('whether the installed packages agree with the lock', () => {
  const agrees = (found) => agreesWithLock(LOCK, found, 'linux', 'x64');

  it('asks for the packages of this platform only', () => {
    assert.equal(agrees(installed('a', 'b-linux-x64', 'c')), true);
  });

  it('does without an optional package that could not be installed', () => {
    assert.equal(agrees(installed('a', 'b-linux-x64')), true);
  });

  it('sees a missing package, a missing binary of this platform, and another version', () => {
    assert.equal(agrees(installed('b-linux-x64', 'c')), false);
    assert.equal(agrees(installed('a', 'c')), false);
    assert.equal(
      agrees({ packages: { ...installed('b-linux-x64').packages, 'node_modules/a': { version: '1.0.1' } } }),
      false,
    );
  });

  it('is no when nothing is installed', () => {
    assert.equal(agrees(undefined), false);
  });
});

describe('package-lock.json', () => {
  const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));

  it('holds the optional packages of every platform (npm run lock:complete puts them back)', () => {
    const missing = missingOptionals(lock).filter(([name]) => platformOf(name) !== undefined);
    assert.deepEqual(missing, []);
  });

  it('asks for the versions of package.json', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
      assert.deepEqual(lock.packages[''][kind], manifest[kind], kind);
    }
  });
});

describe('the platform in a package name', () => {
  it('is read as npm writes it', () => {
    assert.deepEqual(platformOf('@bufbuild/buf-darwin-arm64'), { os: ['darwin'], cpu: ['arm64'] });
    assert.deepEqual(platformOf('@unrs/resolver-binding-linux-arm-gnueabihf'), {
      os: ['linux'],
      cpu: ['arm'],
      libc: ['glibc'],
    });
    assert.deepEqual(platformOf('@unrs/resolver-binding-win32-ia32-msvc'), { os: ['win32'], cpu: ['ia32'] });
    assert.deepEqual(platformOf('@bufbuild/buf-linux-armv7'), { os: ['linux'], cpu: ['arm'] });
    assert.equal(platformOf('bare-url'), undefined);
  });
});
