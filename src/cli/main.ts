#!/usr/bin/env node
const ROLES = {
  coordinator: () => import('../coordinator/main.js'),
  encoder: () => import('../encoder/main.js'),
  shard: () => import('../shard/main.js'),
} as const;

const [command, ...rest] = process.argv.slice(2);
if (command !== undefined && Object.hasOwn(ROLES, command)) {
  const { main } = await ROLES[command as keyof typeof ROLES]();
  // a role that has drained leaves native threads behind that would keep the process
  process.exit(await main(rest, process.env));
}
// a role must not load what only commands need
const { runCommand } = await import('./kinscan.js');
process.exitCode = await runCommand(process.argv.slice(2));
