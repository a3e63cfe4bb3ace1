import { execFile } from 'node:child_process';
import path from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.js';

export interface KinscanRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const RUN_TIMEOUT_MS = 120_000;

/** Runs the kinscan command as a child process, as a user would. */
export function runKinscan(...args: string[]): Promise<KinscanRun> {
  const main = path.join(packageRoot(), 'dist', 'src', 'cli', 'main.js');
  return new Promise((resolve) => {
    const options = { timeout: RUN_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ exitCode, stdout, stderr });
    });
  });
}

/** Runs a command that succeeds and prints one JSON document. */
export async function runKinscanJson<Document>(...args: string[]): Promise<Document> {
  const { exitCode, stdout, stderr } = await runKinscan(...args, '--json');
  if (exitCode !== 0) throw new Error(`kinscan ${args[0]} ended with ${exitCode}: ${stderr}`);
  return JSON.parse(stdout) as Document;
}
