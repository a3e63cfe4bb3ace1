// Compiles the search kernel (AssemblyScript) to dist/src/shard/kernel/kernel.wasm.
// Run after tsc: node scripts/build-kernel.mjs
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const outDir = join(root, 'dist/src/shard/kernel');
mkdirSync(outDir, { recursive: true });

const { error, stderr } = await asc.main(
  [
    join('src/shard/kernel/assembly/kernel.ts'),
    ...['--baseDir', root],
    ...['--outFile', join(outDir, 'kernel.wasm')],
    ...['--optimizeLevel', '3', '--shrinkLevel', '0', '--converge', '--noAssert'],
    // no runtime and no heap: the memory is the segment's, imported and shared
    ...[
      '--runtime',
      'stub',
      '--importMemory',
      '--sharedMemory',
      '--initialMemory',
      '1',
      '--maximumMemory',
      '65536',
    ],
    ...['--enable', 'threads', '--enable', 'bulk-memory'],
  ],
  {},
);
if (error) {
  process.stderr.write(`${stderr.toString()}\nthe search kernel does not compile: ${error.message}\n`);
  process.exitCode = 1;
}
