// Compiles the AssemblyScript kernels: src/shard/kernel/assembly/NAME.ts -> dist/src/shard/kernel/NAME.wasm.
// Run by set-up when a kernel source or this file has changed; by hand: node scripts/build-kernel.mjs
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { REPOSITORY, listFiles } from './setup/files.mjs';
import { SetupError } from './setup/progress.mjs';
import { runCommand, tailOf } from './setup/run-command.mjs';

export const KERNEL_SOURCES = join(REPOSITORY, 'src', 'shard', 'kernel', 'assembly');
const OUTPUT = join(REPOSITORY, 'dist', 'src', 'shard', 'kernel');

// The codes live in a shared memory that the caller makes and imports; no heap, so the stub runtime does.
const ASC_FLAGS = [
  '-O3',
  '--runtime=stub',
  '--noAssert',
  '--importMemory',
  '--sharedMemory',
  '--maximumMemory=65536',
  '--enable=simd',
  '--enable=threads',
];

export async function buildKernels() {
  mkdirSync(OUTPUT, { recursive: true });
  const asc = join(REPOSITORY, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
  for (const source of listFiles(KERNEL_SOURCES, '.ts')) {
    const target = join(OUTPUT, `${basename(source, '.ts')}.wasm`);
    const args = [asc, source, `--outFile=${target}`, ...ASC_FLAGS];
    const { ok, output } = await runCommand(process.execPath, args, { cwd: REPOSITORY });
    if (!ok) throw new SetupError(`asc did not compile ${source} (above)`, tailOf(output));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await buildKernels();
