import { Command, CommanderError } from 'commander';
import { KinscanError } from '../core/errors.js';
import { softwareVersion } from '../runtime/software-version.js';
import { registerBench } from './commands/bench.js';
import { registerDeadLetters } from './commands/dead-letters.js';
import { registerDelete } from './commands/delete.js';
import { registerEvaluate } from './commands/evaluate.js';
import { registerIngest } from './commands/ingest.js';
import { registerRoles } from './commands/roles.js';
import { registerSearch } from './commands/search.js';
import { registerStatus } from './commands/status.js';
import { registerTrain } from './commands/train.js';
import { registerUp } from './commands/up.js';
import { CommandFailed, EXIT, UsageError } from './exit-code.js';

function buildProgram(): Command {
  const program = new Command('kinscan')
    .description('finds the scans that are akin to yours: a distributed, streaming index for medical images')
    .version(softwareVersion())
    .showHelpAfterError('(see --help)')
    .exitOverride();
  registerUp(program);
  registerRoles(program);
  registerIngest(program);
  registerSearch(program);
  registerDelete(program);
  registerStatus(program);
  registerDeadLetters(program);
  registerTrain(program);
  registerEvaluate(program);
  registerBench(program);
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
    await buildProgram().parseAsync([...argv], { from: 'user' });
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
