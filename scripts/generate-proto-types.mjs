// TypeScript types of the contracts: proto/**/*.proto -> src/generated (git-ignored).
// The options mirror those with which src/runtime/proto.ts loads the same files at run time.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { REPOSITORY, listFiles } from './setup/files.mjs';
import { SetupError } from './setup/progress.mjs';
import { runCommand, tailOf } from './setup/run-command.mjs';

export const PROTO = join(REPOSITORY, 'proto');
const OUTPUT = join(REPOSITORY, 'src', 'generated');

const OPTIONS = [
  '--longs=Number',
  '--enums=String',
  '--defaults',
  '--oneofs',
  '--includeComments',
  '--grpcLib=@grpc/grpc-js',
  '--importFileExtension=.js',
];

// the generator imports and declares more than each file uses, which our tsconfig refuses
const HEADER = '// @ts-nocheck\n';

export async function generateProtoTypes() {
  const sources = listFiles(PROTO, '.proto').map((path) => relative(PROTO, path));
  if (sources.length === 0) return;
  const generator = join(REPOSITORY, 'node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js');
  // made beside and moved over: a killed run leaves no half of it, and types of removed messages go
  const part = `${OUTPUT}.part`;
  rmSync(part, { recursive: true, force: true });
  const args = [generator, ...OPTIONS, `--includeDirs=${PROTO}`, `--outDir=${part}`, '--', ...sources];
  const { ok, output } = await runCommand(process.execPath, args, { cwd: PROTO });
  if (!ok) throw new SetupError('proto-loader-gen-types did not succeed (above)', tailOf(output));
  for (const path of listFiles(part, '.ts')) writeFileSync(path, `${HEADER}${readFileSync(path, 'utf8')}`);
  rmSync(OUTPUT, { recursive: true, force: true });
  renameSync(part, OUTPUT);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await generateProtoTypes();
