import { Command, CommanderError } from 'commander';
import { KinscanError } from '../core/errors.js';
import { softwareVersion } from '../runtime/software-version.js';
import { registerBench } from './commands/bench.js';
import { registerDeadLetters } from './commands/dead-letters.js';
import { registerDelete } from './commands/delete.js';
import { registerIngest } from './commands/ingest.js';
import { registerRange } from './commands/range.js';
import { registerRoles } from './commands/roles.js';
import { registerSearch } from './commands/search.js';
import { registerStatus } from './commands/status.js';
import { registerUp } from './commands/up.js';
import { CommandFailed, EXIT, UsageError } from './exit-code.js';

const LIGHT_COMMANDS: Readonly<Record<string, (program: Command) => void>> = {
  up: registerUp,
  ingest: registerIngest,
  search: registerSearch,
  range: registerRange,
  delete: registerDelete,
  status: registerStatus,
  'dead-letters': registerDeadLetters,
  bench: registerBench,
};

/** Commands that load TensorFlow.js and more: only when one of them, or help, is asked for. */
async function registerModelCommands(program: Command): Promise<void> {
  const { registerTrain } = await import('./commands/train.js');
  const { registerEvaluate } = await import('./commands/evaluate.js');
  const { registerExperiment } = await import('./commands/experiment.js');
  registerTrain(program);
  registerEvaluate(program);
  registerExperiment(program);
}

async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('kinscan')
    .description('finds the scans that are akin to yours: a distributed, streaming index for medical images')
    .version(softwareVersion())
    .showHelpAfterError('(see --help)')
    .exitOverride();
  const named = Object.hasOwn(LIGHT_COMMANDS, argv[0] ?? '') ? LIGHT_COMMANDS[argv[0] ?? ''] : undefined;
  if (named === undefined) {
    for (const register of Object.values(LIGHT_COMMANDS)) register(program);
    registerRoles(program);
    await registerModelCommands(program);
  } else {
    named(program);
  }
  // exitOverride is not inherited by commands that were added before it
  for (const command of program.commands) overrideExit(command);
  return program;
}

function overrideExit(command: Command): void {
  command.exitOverride().showHelpAfterError('(see --help)');
  command.commands.forEach(overrideExit);
}

/** Runs one kinscan command and returns its exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  try {
    const program = await buildProgram(argv);
    await program.parseAsync([...argv], { from: 'user' });
    return EXIT.success;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage;
    if (error instanceof CommandFailed) return EXIT.failure;
    if (error instanceof UsageError) {
      process.stderr.write(`kinscan: ${error.message} (see --help)\n`);
      return EXIT.usage;
    }
    process.stderr.write(`kinscan: ${describe(error)}\n`);
    return EXIT.failure;
  }
}

function describe(error: unknown): string {
  if (error instanceof KinscanError && error.code !== 'INTERNAL')
    return `${error.code}: ${oneLine(error.message)}`;
  const cause = error instanceof KinscanError ? (error.cause ?? error) : error;
  return oneLine(cause instanceof Error ? cause.message : String(cause));
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}
