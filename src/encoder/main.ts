import { hostname } from 'node:os';
import { toKinscanError } from '../core/errors.js';
import { helpOf, redactConfig, resolveConfig } from '../runtime/config.js';
import { runRole } from '../runtime/lifecycle.js';
import { createLog } from '../runtime/log.js';
import { ENCODER_CONFIG, type EncoderConfig } from './config.js';
import { startEncoder } from './start-encoder.js';

const SUMMARY = 'An encoder node: decodes images, runs the network, and writes their codes to the log.';

/** `kinscan encoder`. @returns the exit code: 0 after a drain, 1 after a failure, 2 for wrong usage */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(helpOf('encoder', SUMMARY, ENCODER_CONFIG));
    return 0;
  }
  let config: EncoderConfig;
  try {
    config = resolveConfig(ENCODER_CONFIG, { argv, env });
  } catch (error) {
    process.stderr.write(`kinscan encoder: ${toKinscanError(error).message} (see --help)\n`);
    return 2;
  }
  const log = createLog('encoder', config.id || hostname(), config.logLevel);
  log.info({ config: redactConfig(ENCODER_CONFIG, config) }, 'starting');
  try {
    const encoder = await startEncoder(config, log);
    return await runRole(encoder, log);
  } catch (error) {
    const { code, message, cause } = toKinscanError(error);
    const text = code === 'INTERNAL' && cause instanceof Error ? cause.message : message;
    process.stderr.write(`kinscan encoder: ${code}: ${text.replace(/\s*\n\s*/g, ' ')}\n`);
    return 1;
  }
}
