import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { rewriteDeb822, rewriteOneLine, suiteFor } from '../../scripts/setup/apt-sources.mjs';
import { writeSources } from '../../scripts/setup/debian-nats.mjs';

const TRIXIE = { from: ['bookworm', 'oldstable'], to: 'trixie' };

describe('the suite that offers nats-server 2.10', () => {
  const osRelease = (id, version, codename) =>
    `PRETTY_NAME="x"\nID=${id}\nVERSION_ID="${version}"\nVERSION_CODENAME=${codename}\n`;

  it('is trixie for Debian 12 and older, and the own one from Debian 13 on', () => {
    assert.equal(suiteFor(osRelease('debian', '12', 'bookworm')).to, 'trixie');
    assert.equal(suiteFor(osRelease('debian', '11', 'bullseye')).to, 'trixie');
    assert.equal(suiteFor(osRelease('debian', '13', 'trixie')).to, 'trixie');
    assert.equal(suiteFor(osRelease('debian', '14', 'forky')).to, 'forky');
  });

  it('is the own one for Debian testing, which has no number', () => {
    assert.equal(suiteFor('ID=debian\nVERSION_CODENAME=forky\n').to, 'forky');
  });

  it('is noble for Ubuntu before 24.04, and unknown elsewhere', () => {
    assert.equal(suiteFor(osRelease('ubuntu', '22.04', 'jammy')).to, 'noble');
    assert.equal(suiteFor(osRelease('ubuntu', '25.04', 'plucky')).to, 'plucky');
    assert.equal(suiteFor(osRelease('fedora', '40', 'forty')), undefined);
    assert.equal(suiteFor(''), undefined);
  });
});

describe('rewriting deb822 sources', () => {
  const TEXT = [
    'Types: deb deb-src',
    '# a snapshot: http://snapshot.debian.org/archive/debian/20250520T000000Z',
    'URIs: http://deb.debian.org/debian',
    'Suites: bookworm bookworm-updates',
    'Components: main',
    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
    '',
    'Types: deb',
    'URIs: http://deb.debian.org/debian-security',
    'Suites: bookworm-security',
    'Components: main',
    '',
  ].join('\n');

  it('keeps mirror, components and key, and drops -updates, -security and comments', () => {
    assert.equal(
      rewriteDeb822(TEXT, TRIXIE),
      'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: trixie\nComponents: main\n' +
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n',
    );
  });

  it('keeps a key given in place, over several lines', () => {
    const key =
      'Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEYCQjIxYJKwYBBAHaRw8BAQdAD/P5Nvvn\n';
    const stanza = `Types: deb\nURIs: http://mirror/debian\nSuites: oldstable\nComponents: main\n${key}`;
    assert.ok(rewriteDeb822(stanza, TRIXIE).endsWith(key.replace('Signed-By:\n', 'Signed-By: \n')));
  });

  it('ignores disabled stanzas, source-only stanzas and third parties', () => {
    const stanza = (extra) => `Types: deb\nURIs: http://m\nSuites: bookworm\nComponents: main\n${extra}\n`;
    assert.notEqual(rewriteDeb822(stanza('Enabled: yes'), TRIXIE), '');
    assert.equal(rewriteDeb822(stanza('Enabled: no'), TRIXIE), '');
    assert.equal(rewriteDeb822(stanza('').replace('Types: deb', 'Types: deb-src'), TRIXIE), '');
    assert.equal(rewriteDeb822(stanza('').replace('bookworm', 'nodistro'), TRIXIE), '');
  });
});

describe('rewriting one-line sources', () => {
  it('keeps options, mirror and components of the own release only', () => {
    const text = [
      '# deb http://deb.debian.org/debian bookworm main',
      'deb [arch=amd64 signed-by=/k.gpg] http://deb.debian.org/debian bookworm main contrib # home',
      'deb http://deb.debian.org/debian bookworm-updates main',
      'deb-src http://deb.debian.org/debian bookworm main',
      'deb https://packages.example.com/apt sdk-bookworm main',
      'deb http://security.debian.org/debian-security bookworm-security main',
    ].join('\n');
    assert.equal(
      rewriteOneLine(text, TRIXIE),
      'deb [arch=amd64 signed-by=/k.gpg] http://deb.debian.org/debian trixie main contrib\n',
    );
  });
});

describe('the private APT sources', () => {
  it('are gathered from sources.list and sources.list.d, in both formats', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kinscan-apt-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const apt = join(folder, 'apt');
    mkdirSync(join(apt, 'sources.list.d'), { recursive: true });
    writeFileSync(join(apt, 'sources.list'), 'deb http://a/debian bookworm main\n');
    writeFileSync(
      join(apt, 'sources.list.d', 'debian.sources'),
      'Types: deb\nURIs: http://b/debian\nSuites: bookworm\nComponents: main\n',
    );
    writeFileSync(join(apt, 'sources.list.d', 'old.list.save'), 'deb http://c/debian bookworm main\n');
    assert.equal(writeSources(join(folder, 'out'), TRIXIE, apt), true);
    assert.equal(
      readFileSync(join(folder, 'out', 'kinscan.list'), 'utf8'),
      'deb http://a/debian trixie main\n',
    );
    assert.match(
      readFileSync(join(folder, 'out', 'kinscan.sources'), 'utf8'),
      /URIs: http:\/\/b\/debian\nSuites: trixie/,
    );
  });

  it('are reported missing where the machine has none of its own release', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kinscan-apt-'));
    t.after(() => rmSync(folder, { recursive: true }));
    assert.equal(writeSources(join(folder, 'out'), TRIXIE, join(folder, 'nowhere')), false);
  });
});
