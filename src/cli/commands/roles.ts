import type { Command } from 'commander';

/** The roles have option tables of their own and are started by cli/main.ts; here they only appear in --help. */
export function registerRoles(program: Command): void {
  program
    .command('coordinator')
    .description('run a coordinator (kinscan coordinator --help)')
    .helpOption(false)
    .allowUnknownOption();
  program
    .command('encoder')
    .description('run an encoder node (kinscan encoder --help)')
    .helpOption(false)
    .allowUnknownOption();
  program
    .command('shard')
    .description('run a shard server (kinscan shard --help)')
    .helpOption(false)
    .allowUnknownOption();
}
