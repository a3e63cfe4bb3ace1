// Runs a program to its end and keeps what it printed.
import { spawn } from 'node:child_process';

const OUTPUT_CHARS_MAX = 1_000_000;

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number}} [options]
 * @returns {Promise<{ok: boolean, output: string}>} ok: exit code 0; output: stdout and stderr as they came
 */
export function runCommand(command, args, options = {}) {
  const { cwd, env = process.env, timeoutMs = 15 * 60_000 } = options;
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    const collect = (chunk) => {
      output = (output + chunk).slice(-OUTPUT_CHARS_MAX);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ ok: false, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) => {
      if (signal !== null) output += `ended by ${signal}\n`;
      resolve({ ok: code === 0, output });
    });
  });
}

/** The last few lines that say something, for an error message. */
export function tailOf(output, linesMax = 15) {
  return output.trimEnd().split('\n').slice(-linesMax).join('\n');
}
