import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../src/runtime/package-root.js';

export const ROOT = resolve(packageRoot());

/** A TypeScript file of ours with what it imports. */
export interface SourceFile {
  /** Relative to the repository, with forward slashes: src/core/code.ts */
  readonly path: string;
  readonly text: string;
  /** Package and node: modules, as written. */
  readonly packages: readonly string[];
  /** Our own files, relative to the repository. */
  readonly files: readonly string[];
}

/** Every .ts file under a folder of the repository; generated files and the AssemblyScript kernels are left out. */
export function sourcesUnder(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('src/generated/') && !path.startsWith('src/shard/kernel/assembly/'))
    .sort()
    .map(readSource);
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const imported = ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName);
  const isOurs = (name: string) => name.startsWith('.');
  const toSource = (name: string) =>
    relative(ROOT, resolve(ROOT, dirname(path), name)).replace(/\.js$/, '.ts');
  return {
    path,
    text,
    packages: imported.filter((name) => !isOurs(name)),
    files: imported.filter(isOurs).map(toSource),
  };
}

/** '@grpc/grpc-js/build/x' and 'nats/lib' are their packages. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The text without comments, so that words in prose do not count as code. */
export function codeOf(source: SourceFile): string {
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ES2022, false);
  return ts.createPrinter({ removeComments: true }).printFile(file);
}
