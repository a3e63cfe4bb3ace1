import { spawn } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { packageRoot } from '../src/runtime/package-root.js';

/** How FAISS fared, per k: milliseconds of each query, and the distance of its k-th answer. */
export interface FaissResult {
  readonly version: string;
  readonly results: readonly {
    readonly k: number;
    readonly ms: readonly number[];
    readonly farthest: readonly number[];
  }[];
}

export const FAISS_HINT = 'FAISS is not installed; on Debian: apt-get install python3-faiss';
/** Debian's packages are for Debian's own Python, which need not be the first in PATH. */
const PYTHONS = ['/usr/bin/python3', 'python3'];

/**
 * FAISS IndexBinaryFlat on the same codes and queries, on one thread, in a process of its own.
 * @returns undefined where FAISS is not installed
 */
export async function runFaiss(
  codes: readonly Uint8Array[],
  queries: readonly Uint8Array[],
  ks: readonly number[],
): Promise<FaissResult | undefined> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kinscan-faiss-'));
  try {
    const codesFile = path.join(folder, 'codes');
    const queriesFile = path.join(folder, 'queries');
    const file = await open(codesFile, 'w');
    for (const part of codes) await file.writeFile(part);
    await file.close();
    await writeFile(queriesFile, Buffer.concat(queries));
    const codeBytes = queries[0]?.length ?? 0;
    for (const python of PYTHONS) {
      const output = await runPython(python, [codesFile, queriesFile, String(codeBytes), ...ks.map(String)]);
      const result =
        output === undefined ? undefined : (JSON.parse(output) as FaissResult | { missing: string });
      if (result !== undefined && 'version' in result) return result;
    }
    return undefined;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function runPython(python: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const script = path.join(packageRoot(), 'bench/faiss-flat.py');
    const child = spawn(python, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', () => resolve(undefined));
    child.on('close', (code) => resolve(code === 0 ? output : undefined));
  });
}
