import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { packageRoot } from '../src/runtime/package-root.js';

export interface FaissAnswer {
  readonly ms: number;
  /** Distance of the k-th answer. */
  readonly farthest: number;
}

export const FAISS_HINT = 'FAISS is not installed; on Debian: apt-get install python3-faiss';
/** Debian's packages are for Debian's own Python, which need not be the first in PATH. */
const PYTHONS = ['/usr/bin/python3', 'python3'];

/** FAISS IndexBinaryFlat over the same codes and queries, on one thread, in a process of its own. */
export class FaissPeer {
  readonly version: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(
    version: string,
    child: ChildProcessByStdio<Writable, Readable, null>,
    lines: AsyncIterator<string>,
  ) {
    this.version = version;
    this.#child = child;
    this.#lines = lines;
  }

  /** @returns undefined where FAISS is not installed */
  static async start(
    codes: readonly Uint8Array[],
    queries: readonly Uint8Array[],
  ): Promise<FaissPeer | undefined> {
    const folder = await mkdtemp(path.join(tmpdir(), 'kinscan-faiss-'));
    try {
      const codesFile = path.join(folder, 'codes');
      const queriesFile = path.join(folder, 'queries');
      const file = await open(codesFile, 'w');
      for (const part of codes) await file.writeFile(part);
      await file.close();
      await writeFile(queriesFile, Buffer.concat(queries));
      for (const python of PYTHONS) {
        const peer = await FaissPeer.#spawn(python, [
          codesFile,
          queriesFile,
          String(queries[0]?.length ?? 0),
        ]);
        if (peer !== undefined) return peer;
      }
      return undefined;
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  static async #spawn(python: string, args: readonly string[]): Promise<FaissPeer | undefined> {
    const script = path.join(packageRoot(), 'bench/faiss-flat.py');
    const child = spawn(python, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.on('error', () => undefined); // no such python: the lines end at once
    const reader: Interface = createInterface(child.stdout);
    const lines = reader[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done === true) return undefined;
    return new FaissPeer((JSON.parse(first.value) as { version: string }).version, child, lines);
  }

  async ask(k: number, query: number): Promise<FaissAnswer> {
    this.#child.stdin.write(`${k} ${query}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('FAISS ended');
    return JSON.parse(line.value) as FaissAnswer;
  }

  async stop(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}
