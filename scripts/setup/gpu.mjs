// TensorFlow's GPU binding: optional, because it downloads some 400 MB and is of use only beside a CUDA GPU.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './files.mjs';
import { installPackages, npmCommand } from './packages.mjs';
import { say, step } from './progress.mjs';
import { runCommand, tailOf } from './run-command.mjs';

const PACKAGE = '@tensorflow/tfjs-node-gpu';
const LOAD = `require('${PACKAGE}').ready().then(() => process.exit(0))`;

async function loads() {
  return (await runCommand(process.execPath, ['-e', LOAD], { cwd: REPOSITORY, timeoutMs: 120_000 })).ok;
}

/** The line that names the fault, among npm's own and a stack trace. */
function reasonIn(output) {
  const line = output
    .split('\n')
    .find((candidate) => /\bError: |\b(ENOTFOUND|EAI_AGAIN|ECONN\w+)\b/.test(candidate));
  return (line ?? tailOf(output, 1)).replace(/^npm (error|ERR!)\s*/, '').trim();
}

/** Downloads and tries the binding; false, with a clear line, when it cannot be used here. */
export async function installGpu() {
  if (await loads()) {
    say(`${PACKAGE} is installed already`);
    return true;
  }
  // a plain npm ci leaves an optional package out when its download fails
  if (!existsSync(join(REPOSITORY, 'node_modules', PACKAGE))) await installPackages({ force: true });
  const { ok, output } = await step(`downloading TensorFlow for the GPU (${PACKAGE})`, () => {
    const { command, prefix } = npmCommand();
    return runCommand(command, [...prefix, 'rebuild', PACKAGE], { cwd: REPOSITORY });
  });
  if (ok && (await loads())) {
    say(`${PACKAGE} is installed`);
    return true;
  }
  say(`${PACKAGE} could not be installed: ${ok ? 'it does not load here' : reasonIn(output)}`);
  say('everything else works without it: training and encoding then run on the CPU');
  return false;
}
