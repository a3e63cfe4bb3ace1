import { toKinscanError } from '../core/errors.js';
import { helpOf, redactConfig, resolveConfig } from '../runtime/config.js';
import { runRole } from '../runtime/lifecycle.js';
import { createLog } from '../runtime/log.js';
import { checkCoordinatorConfig, COORDINATOR_CONFIG, type CoordinatorConfig } from './config.js';
import { startCoordinator } from './start-coordinator.js';

const SUMMARY = 'Takes images in, answers queries, and gives partitions their places. Any number may run.';

/**
 * `kinscan coordinator`: runs until it is told to stop.
 * @param argv without node, script and command
 * @returns the exit code: 0 after a stop, 1 on failure, 2 on wrong usage
 */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(helpOf('coordinator', SUMMARY, COORDINATOR_CONFIG));
    return 0;
  }
  let config: CoordinatorConfig;
  try {
    config = resolveConfig(COORDINATOR_CONFIG, { argv, env });
    checkCoordinatorConfig(config);
  } catch (error) {
    process.stderr.write(`kinscan coordinator: ${toKinscanError(error).message}\n`);
    return 2;
  }
  const log = createLog('coordinator', config.id, config.logLevel);
  log.info({ config: redactConfig(COORDINATOR_CONFIG, config) }, 'starting');
  try {
    return await runRole(await startCoordinator(config, log), log);
  } catch (error) {
    const { code, message } = toKinscanError(error);
    log.debug({ err: error }, 'not started');
    process.stderr.write(`kinscan coordinator: ${code}: ${message}\n`);
    return 1;
  }
}
