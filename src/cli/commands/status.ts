import type { Command } from 'commander';
import type { StatusRequest } from '../../generated/kinscan/v1/StatusRequest.js';
import type { StatusResponse__Output } from '../../generated/kinscan/v1/StatusResponse.js';
import { addressOption, jsonOption, openCoordinatorClient } from '../options.js';
import { formatCount, printJson, printTable } from '../output.js';

const STATUS_TIMEOUT_MS = 10_000;

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('members, placement, counts and lag of the cluster')
    .addOption(addressOption())
    .addOption(jsonOption())
    .action(showStatus);
}

async function showStatus(options: { readonly address: string; readonly json?: boolean }): Promise<void> {
  const client = openCoordinatorClient(options.address);
  try {
    const status = await client.call<StatusRequest, StatusResponse__Output>(
      'Status',
      {},
      { timeoutMs: STATUS_TIMEOUT_MS },
    );
    if (options.json) printJson(status);
    else printStatus(status);
  } finally {
    client.close();
  }
}

function printStatus(status: StatusResponse__Output): void {
  printTable(
    ['member', 'role', 'address', 'heartbeat'],
    status.members.map((member) => [
      member.id,
      member.role,
      member.address,
      `${(member.heartbeatAgeMs / 1000).toFixed(1)} s ago`,
    ]),
  );
  printTable(
    ['partition', 'shard server', 'images', 'lag'],
    status.partitions.flatMap(({ partition, replicas }) =>
      replicas.map((replica) => [
        partition,
        replica.shardServer,
        replica.live ? formatCount(replica.images) : 'no answer',
        replica.live ? replica.lag : '',
      ]),
    ),
  );
  process.stdout.write(
    `${formatCount(status.images)} images, ${formatCount(status.imagesQueued)} queued, ${formatCount(status.deadLetters)} dead letters, ` +
      `${status.codeBits}-bit codes, model ${status.modelVersion.slice(0, 12)}, placement epoch ${status.placementEpoch}\n`,
  );
}
