import { COORDINATOR_CONFIG } from '../../src/coordinator/config.js';
import { ENCODER_CONFIG } from '../../src/encoder/config.js';
import { resolveConfig } from '../../src/runtime/config.js';
import { SHARD_CONFIG } from '../../src/shard/config.js';

const TABLES = { coordinator: COORDINATOR_CONFIG, encoder: ENCODER_CONFIG, shard: SHARD_CONFIG } as const;

export type RoleName = keyof typeof TABLES;

/**
 * The configuration that `kinscan <role> <flags>` would run with.
 * @throws Error where there is no such role, KinscanError INVALID_ARGUMENT on an unknown flag or a value out of range
 */
export function resolveRoleCommand(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly role: RoleName; readonly config: Readonly<Record<string, unknown>> } {
  const [role = '', ...argv] = words;
  if (!Object.hasOwn(TABLES, role)) throw new Error(`no role ${role}`);
  const name = role as RoleName;
  return { role: name, config: resolveConfig(TABLES[name], { argv, env }) };
}
