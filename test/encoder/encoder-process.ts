import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../src/runtime/package-root.js';

export interface EncoderProcess {
  /** Resolves when it pulls images. */
  readonly ready: Promise<void>;
  /** What it wrote to standard error so far. */
  readonly lines: readonly string[];
  kill(signal: NodeJS.Signals): Promise<number | null>;
  readonly exit: Promise<number | null>;
}

/** `kinscan encoder` as a process of its own. */
export function startEncoderProcess(flags: readonly string[]): EncoderProcess {
  const main = path.join(packageRoot(), 'dist', 'src', 'encoder', 'main.js');
  const script = `const { main } = await import(process.argv[1]); process.exit(await main(process.argv.slice(2), {}));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, '--', main, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const exit = once(child, 'exit').then(([code]) => {
    process.removeListener('exit', killAtExit);
    return code as number | null;
  });
  const lines: string[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      lines.push(line);
      if (line.includes('encoder is ready')) resolve();
    });
    void exit.then((code) => reject(new Error(`the encoder ended with ${code}:\n${lines.join('\n')}`)));
  });
  ready.catch(() => undefined);
  return {
    ready,
    lines,
    exit,
    kill: (signal) => {
      child.kill(signal);
      return exit;
    },
  };
}
