import type { Command } from 'commander';
import { writeFile } from 'node:fs/promises';
import type { DeadLetter__Output } from '../../generated/kinscan/v1/DeadLetter.js';
import type { DropDeadLettersResponse__Output } from '../../generated/kinscan/v1/DropDeadLettersResponse.js';
import type { GetDeadLetterResponse__Output } from '../../generated/kinscan/v1/GetDeadLetterResponse.js';
import type { ListDeadLettersResponse__Output } from '../../generated/kinscan/v1/ListDeadLettersResponse.js';
import type { RetryDeadLettersResponse__Output } from '../../generated/kinscan/v1/RetryDeadLettersResponse.js';
import type { GrpcClient } from '../../runtime/grpc-client.js';
import { UsageError } from '../exit-code.js';
import { addressOption, jsonOption, openCoordinatorClient, wholeNumber } from '../options.js';
import { formatCount, printJson, printTable } from '../output.js';

const CALL_TIMEOUT_MS = 60_000;

interface CommonOptions {
  readonly address: string;
  readonly json?: boolean;
}

export function registerDeadLetters(program: Command): void {
  const command = program.command('dead-letters').description('what could not be indexed, and why');
  command
    .command('list')
    .description('the dead letters, oldest first')
    .option('--after <sequence>', 'only those after this one', wholeNumber(0, Number.MAX_SAFE_INTEGER), 0)
    .option('--limit <n>', 'at most so many', wholeNumber(1, 1000), 100)
    .addOption(addressOption())
    .addOption(jsonOption())
    .action(list);
  command
    .command('show')
    .description('one dead letter')
    .argument('<sequence>', 'as list shows it', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--content <file>', 'write the image it holds to this file')
    .addOption(addressOption())
    .addOption(jsonOption())
    .action(show);
  for (const [name, description] of [
    ['retry', 'ingest them again'],
    ['drop', 'remove them and the images they hold for good'],
  ] as const) {
    command
      .command(name)
      .description(description)
      .argument('[sequence...]', 'as list shows them', collectSequences)
      .option('--all', 'every dead letter')
      .addOption(addressOption())
      .addOption(jsonOption())
      .action((sequences: number[] | undefined, options: CommonOptions & { readonly all?: boolean }) =>
        retryOrDrop(name, sequences ?? [], options),
      );
  }
}

function collectSequences(text: string, previous: number[] | undefined): number[] {
  return [...(previous ?? []), wholeNumber(1, Number.MAX_SAFE_INTEGER)(text)];
}

async function withClient(
  options: CommonOptions,
  work: (client: GrpcClient) => Promise<void>,
): Promise<void> {
  const client = openCoordinatorClient(options.address, 'DeadLetters');
  try {
    await work(client);
  } finally {
    client.close();
  }
}

function list(options: CommonOptions & { readonly after: number; readonly limit: number }): Promise<void> {
  return withClient(options, async (client) => {
    const response = await client.call<object, ListDeadLettersResponse__Output>(
      'ListDeadLetters',
      { afterSequence: options.after, limit: options.limit },
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    if (options.json)
      return printJson({ deadLetters: response.deadLetters.map(documentOf), total: response.total });
    printTable(
      ['sequence', 'image', 'code', 'reason', 'bytes', 'failed at'],
      response.deadLetters.map((letter) => [
        letter.sequence,
        letter.imageId,
        letter.reason?.code ?? '',
        letter.reason?.message ?? '',
        formatCount(letter.contentBytes),
        new Date(letter.failedAtMs).toISOString(),
      ]),
    );
    process.stdout.write(`${response.deadLetters.length} of ${formatCount(response.total)} dead letters\n`);
  });
}

function show(sequence: number, options: CommonOptions & { readonly content?: string }): Promise<void> {
  return withClient(options, async (client) => {
    const response = await client.call<object, GetDeadLetterResponse__Output>(
      'GetDeadLetter',
      { sequence, includeContent: options.content !== undefined },
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    if (options.content !== undefined) await writeFile(options.content, response.content);
    const document = response.deadLetter ? documentOf(response.deadLetter) : {};
    if (options.json) return printJson(document);
    printTable(
      ['field', 'value'],
      Object.entries(document).map(([field, value]) => [field, String(value)]),
    );
  });
}

function retryOrDrop(
  action: 'retry' | 'drop',
  sequences: number[],
  options: CommonOptions & { readonly all?: boolean },
): Promise<void> {
  if (sequences.length > 0 === (options.all === true))
    throw new UsageError(`dead-letters ${action} takes sequences or --all`);
  return withClient(options, async (client) => {
    const request = { sequences, all: options.all === true };
    const call = { timeoutMs: CALL_TIMEOUT_MS };
    const document =
      action === 'retry'
        ? countsOf(
            await client.call<object, RetryDeadLettersResponse__Output>('RetryDeadLetters', request, call),
          )
        : countsOf(
            await client.call<object, DropDeadLettersResponse__Output>('DropDeadLetters', request, call),
          );
    if (options.json) return printJson(document);
    process.stdout.write(
      `${Object.entries(document)
        .map(([what, count]) => `${count} ${what}`)
        .join(', ')}\n`,
    );
  });
}

function countsOf<Counts extends object>(response: Counts): Counts {
  return { ...response };
}

function documentOf(letter: DeadLetter__Output) {
  return {
    sequence: letter.sequence,
    id: letter.imageId,
    revision: letter.revision,
    code: letter.reason?.code ?? '',
    message: letter.reason?.message ?? '',
    contentBytes: letter.contentBytes,
    deliveries: letter.deliveries,
    failedAt: new Date(letter.failedAtMs).toISOString(),
  };
}
