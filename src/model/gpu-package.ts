import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const load = createRequire(import.meta.url);
const PACKAGE = '@tensorflow/tfjs-node-gpu';

/**
 * Whether tfjs-node-gpu is installed with its native library and loads; loading it registers its backend 'tensorflow'.
 * It is an optional dependency, so it cannot be imported where it may be absent. The library is looked for first,
 * because the package loads a second copy of TensorFlow.js before it notices that the library is missing.
 * @param log told in one line why it does not load
 */
export function gpuPackageLoads(log: (line: string) => void): boolean {
  try {
    const library = path.join(path.dirname(load.resolve(`${PACKAGE}/package.json`)), 'lib');
    const built =
      existsSync(library) &&
      readdirSync(library).some((abi) => existsSync(path.join(library, abi, 'tfjs_binding.node')));
    if (!built) throw new Error('its native library is not installed');
    load(PACKAGE);
    return true;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] as string) : 'unknown';
    log(`no GPU backend, using WebAssembly (${PACKAGE}: ${reason.slice(0, 160)})`);
    return false;
  }
}
