import { Option, type Command } from 'commander';
import type { DeleteRequest } from '../../generated/kinscan/v1/DeleteRequest.js';
import type { DeleteResponse__Output } from '../../generated/kinscan/v1/DeleteResponse.js';
import { addressOption, jsonOption, openCoordinatorClient } from '../options.js';
import { printJson } from '../output.js';
import { ingestWaitOf } from '../ingest/ingest-wait.js';

const DELETE_TIMEOUT_MS = 60_000;
/** Ids in one request; the service takes up to 10,000. */
const IDS_PER_REQUEST_MAX = 1000;

interface DeleteOptions {
  readonly address: string;
  readonly wait: 'queued' | 'indexed';
  readonly json?: boolean;
}

export function registerDelete(program: Command): void {
  program
    .command('delete')
    .description('delete images; the id of a multi-frame DICOM instance deletes all its frames')
    .argument('<id...>', 'image ids')
    .addOption(
      new Option('--wait <for>', 'return when the deletion is logged, or when it has taken effect')
        .choices(['queued', 'indexed'])
        .default('indexed'),
    )
    .addOption(addressOption())
    .addOption(jsonOption())
    .action(deleteImages);
}

async function deleteImages(ids: string[], options: DeleteOptions): Promise<void> {
  const client = openCoordinatorClient(options.address);
  const total = { deleted: 0, missing: 0 };
  try {
    for (let start = 0; start < ids.length; start += IDS_PER_REQUEST_MAX) {
      const request: DeleteRequest = {
        imageIds: ids.slice(start, start + IDS_PER_REQUEST_MAX),
        wait: ingestWaitOf(options.wait),
      };
      const response = await client.call<DeleteRequest, DeleteResponse__Output>('Delete', request, {
        timeoutMs: DELETE_TIMEOUT_MS,
      });
      total.deleted += response.deleted;
      total.missing += response.missing;
    }
  } finally {
    client.close();
  }
  if (options.json) printJson(total);
  else process.stdout.write(`${total.deleted} deleted, ${total.missing} not found\n`);
}
