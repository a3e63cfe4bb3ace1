import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

/**
 * Whether tfjs-node-gpu is installed with its native library. Loading it registers its backend 'tensorflow'. It is an
 * optional dependency, so it cannot be imported where it may be absent.
 * @param log told in one line why it does not load
 */
export function gpuPackageLoads(log: (line: string) => void): boolean {
  try {
    load('@tensorflow/tfjs-node-gpu');
    return true;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] as string) : 'unknown';
    log(`no GPU backend, using WebAssembly (${reason.slice(0, 120)})`);
    return false;
  }
}
