import { fileURLToPath } from 'node:url';

/** The repository's folder: this file runs as dist/src/runtime/package-root.js. */
export function packageRoot(): string {
  return fileURLToPath(new URL('../../../', import.meta.url));
}
