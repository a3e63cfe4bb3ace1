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
  /** Those of them that are loaded at run time: without `import type`, which the compiler erases. */
  readonly loadedFiles: readonly string[];
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
  const erased = typeOnlyImports(path, text);
  return {
    path,
    text,
    packages: imported.filter((name) => !isOurs(name)),
    files: imported.filter(isOurs).map(toSource),
    loadedFiles: imported.filter((name) => isOurs(name) && !erased.has(name)).map(toSource),
  };
}

function typeOnlyImports(path: string, text: string): Set<string> {
  const erased = new Set<string>();
  const loaded = new Set<string>();
  for (const statement of ts.createSourceFile(path, text, ts.ScriptTarget.ES2022).statements) {
    const isImport = ts.isImportDeclaration(statement);
    if (!isImport && !ts.isExportDeclaration(statement)) continue;
    if (statement.moduleSpecifier === undefined || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const isTypeOnly = isImport
      ? statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      : statement.isTypeOnly;
    (isTypeOnly ? erased : loaded).add(statement.moduleSpecifier.text);
  }
  return new Set([...erased].filter((name) => !loaded.has(name)));
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
