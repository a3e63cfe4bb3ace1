import { randomBytes } from 'node:crypto';
import { KinscanError } from '../core/errors.js';
import { helpOf, redactConfig, resolveConfig } from '../runtime/config.js';
import { runRole } from '../runtime/lifecycle.js';
import { createLog } from '../runtime/log.js';
import { SHARD_CONFIG, type ShardConfig } from './config.js';
import { readOrCreateShardId } from './shard-id.js';
import { startShard } from './start-shard.js';

const SUMMARY = 'Stores a share of the gallery, follows the log of codes, and searches it exactly.';

/** `kinscan shard`. @returns the process's exit code: 0, 1 after a failure, 2 on wrong usage */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(helpOf('shard', SUMMARY, SHARD_CONFIG));
    return 0;
  }
  let config: ShardConfig;
  try {
    config = resolveConfig(SHARD_CONFIG, { argv, env });
  } catch (error) {
    return complain(error, 2);
  }
  try {
    const makeId = () => `shard-${randomBytes(4).toString('hex')}`;
    const id = config.id === '' ? await readOrCreateShardId(config.dataDir, makeId) : config.id;
    const log = createLog('shard', id, config.logLevel);
    log.info({ config: redactConfig(SHARD_CONFIG, { ...config, id }) }, 'starting');
    const shard = await startShard({ ...config, id }, log);
    log.info({ port: shard.port, httpPort: shard.httpPort }, 'listening');
    return await runRole(shard, log);
  } catch (error) {
    return complain(error, 1);
  }
}

function complain(error: unknown, exitCode: number): number {
  const code = error instanceof KinscanError ? error.code : 'INTERNAL';
  process.stderr.write(`kinscan shard: ${code}: ${(error as Error).message}\n`);
  return exitCode;
}
