import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { packageOf, sourcesUnder, type SourceFile } from './source-tree.js';

const sources = sourcesUnder('src');

/** What the files of an area may import beside their own area; `cli` stands on top of all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  runtime: ['core', 'generated'],
  model: ['runtime', 'core'],
  imaging: ['runtime', 'core'],
  coordinator: ['imaging', 'model', 'runtime', 'core', 'generated'],
  encoder: ['imaging', 'model', 'runtime', 'core', 'generated'],
  shard: ['imaging', 'model', 'runtime', 'core', 'generated'],
  evaluation: ['model', 'imaging', 'runtime', 'core'],
  cli: ['evaluation', 'coordinator', 'encoder', 'shard', 'imaging', 'model', 'runtime', 'core', 'generated'],
};

/** Native and heavy packages, each behind the only file that may import it. */
const GATES: readonly { readonly packages: RegExp; readonly gate: RegExp }[] = [
  { packages: /^rocksdb$/, gate: /^src\/shard\/store\/rocks-database\.ts$/ },
  { packages: /^piscina$/, gate: /^src\/runtime\/worker-pool\.ts$/ },
  { packages: /^nats$/, gate: /^src\/runtime\/nats\.ts$/ },
  { packages: /^@tensorflow\//, gate: /^src\/model\/(tf|tf-[a-z-]+)\.ts$/ },
  { packages: /^onnxruntime-node$/, gate: /^src\/model\/onnx-engine\.ts$/ },
  { packages: /^sharp$/, gate: /^src\/imaging\/raster\.ts$/ },
  { packages: /^pino$/, gate: /^src\/runtime\/log\.ts$/ },
  { packages: /^@grpc\/grpc-js$/, gate: /^src\/runtime\/grpc-[a-z-]+\.ts$/ },
  { packages: /^@grpc\/proto-loader$/, gate: /^src\/runtime\/(proto|grpc-[a-z-]+)\.ts$/ },
];

const areaOf = (path: string) => path.split('/')[1] ?? '';

function forbiddenImports(source: SourceFile): string[] {
  const area = areaOf(source.path);
  const allowed = [area, ...(MAY_IMPORT[area] ?? [])];
  // kinscan bench runs what stands in bench/
  const isBench = (file: string) => area === 'cli' && file.startsWith('bench/');
  return source.files
    .filter((file) => !(file.startsWith('src/') && allowed.includes(areaOf(file))) && !isBench(file))
    .map((file) => `${source.path} imports ${file}`);
}

/** One cycle as the path through it, or undefined. */
function findCycle(files: readonly SourceFile[]): string[] | undefined {
  const importsOf = new Map(files.map((source) => [source.path, source.loadedFiles]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] | undefined => {
    const start = trail.indexOf(path);
    if (start >= 0) return [...trail.slice(start), path];
    if (done.has(path)) return undefined;
    for (const next of importsOf.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const { path } of files) {
    const cycle = visit(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

describe('the imports of src', () => {
  it('belong to an area that has a rule', () => {
    const unknown = sources.map(({ path }) => path).filter((path) => !(areaOf(path) in MAY_IMPORT));
    assert.deepEqual(unknown, []);
    assert.ok(sources.length > 20, 'the sources were found');
  });

  it('point downwards: cli, roles and evaluation, model and imaging, runtime, core', () => {
    assert.deepEqual(sources.flatMap(forbiddenImports), []);
  });

  it('form no cycle of files that load each other', () => {
    assert.equal(findCycle(sources)?.join(' -> '), undefined);
  });

  it('of core reach no package but node:crypto', () => {
    const faults = sources
      .filter(({ path }) => areaOf(path) === 'core')
      .flatMap(({ path, packages }) =>
        packages.filter((name) => name !== 'node:crypto').map((name) => `${path}: ${name}`),
      );
    assert.deepEqual(faults, []);
  });

  it('reach each heavy package through its one file', () => {
    const faults = sources.flatMap(({ path, packages }) =>
      packages
        .filter((name) => GATES.some((rule) => rule.packages.test(packageOf(name)) && !rule.gate.test(path)))
        .map((name) => `${path} imports ${name}`),
    );
    assert.deepEqual(faults, []);
  });
});

describe('the cycle finder', () => {
  it('finds a cycle where there is one', () => {
    const file = (path: string, loadedFiles: string[]): SourceFile => ({
      path,
      text: '',
      packages: [],
      files: loadedFiles,
      loadedFiles,
    });
    assert.deepEqual(findCycle([file('a', ['b']), file('b', ['c']), file('c', ['b'])]), ['b', 'c', 'b']);
    assert.equal(findCycle([file('a', ['b', 'c']), file('b', ['c']), file('c', [])]), undefined);
  });
});
