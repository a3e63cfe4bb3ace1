// The machine's own APT sources, reduced to the Debian (or Ubuntu) archive and moved to another suite.
//
// Debian 12 offers nats-server 2.9, Debian 13 (trixie) 2.10. Its one binary needs nothing of trixie, so we
// take the mirror, the components and the signing key this machine uses already and ask for trixie there.
// Two formats exist (sources.list(5)): one-line ("deb [options] URI suite component...") in *.list, and
// deb822 (stanzas of "Field: value", values continue on indented lines, "#" lines are comments) in *.sources.

/**
 * @typedef {object} SuiteChange
 * @property {readonly string[]} from names of the machine's own release: its codename and its alias
 * @property {string} to the suite to ask for instead; may be the codename itself
 */

/** One-line format: the lines of the machine's own release, others (-updates, -security, third parties) dropped. */
export function rewriteOneLine(text, { from, to }) {
  const lines = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    if (match === null) continue;
    const [, options = '', uri, suite, components] = match;
    if (from.includes(suite)) lines.push(`deb ${options}${uri} ${to} ${components.trim()}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** The fields of one deb822 stanza as [name, value] pairs; a value keeps its continuation lines. */
function fieldsOf(stanza) {
  const fields = [];
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#') || line.trim() === '') continue;
    const match = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
    if (match !== null) fields.push([match[1], match[2]]);
    else if (fields.length > 0) fields.at(-1)[1] += `\n${line}`;
  }
  return fields;
}

/** deb822 format: as rewriteOneLine; URIs, Components and Signed-By stay as they are. */
export function rewriteDeb822(text, { from, to }) {
  const kept = [];
  for (const stanza of text.split(/\n(?:[ \t]*\n)+/)) {
    const fields = fieldsOf(stanza);
    const valueOf = (name) => fields.find(([field]) => field.toLowerCase() === name)?.[1] ?? '';
    const suites = valueOf('suites').split(/\s+/);
    const off = /^(no|false|off|0)$/i.test(valueOf('enabled').trim());
    if (
      off ||
      !valueOf('types').split(/\s+/).includes('deb') ||
      !suites.some((suite) => from.includes(suite))
    )
      continue;
    const changed = { types: 'deb', suites: to };
    kept.push(fields.map(([name, value]) => `${name}: ${changed[name.toLowerCase()] ?? value}`).join('\n'));
  }
  return kept.length === 0 ? '' : `${kept.join('\n\n')}\n`;
}

/**
 * The suite that offers nats-server 2.10 or newer on this distribution, and the names its own release goes by.
 * @param {string} osRelease the text of /etc/os-release (os-release(5))
 * @returns {SuiteChange | undefined} undefined: not a Debian or Ubuntu we know
 */
export function suiteFor(osRelease) {
  const value = (key) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? '';
  const codename = value('VERSION_CODENAME');
  const release = Number.parseFloat(value('VERSION_ID'));
  if (codename === '') return undefined;
  if (value('ID') === 'debian') {
    const from = [codename, 'oldoldstable', 'oldstable', 'stable', 'testing', 'unstable', 'sid'];
    return { from, to: release < 13 ? 'trixie' : codename };
  }
  if (value('ID') === 'ubuntu') return { from: [codename], to: release < 24.04 ? 'noble' : codename };
  return undefined;
}
