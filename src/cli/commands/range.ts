import type { Command } from 'commander';
import type { SearchRangeRequest } from '../../generated/kinscan/v1/SearchRangeRequest.js';
import type { SearchRangeResponse__Output } from '../../generated/kinscan/v1/SearchRangeResponse.js';
import type { GrpcClient } from '../../runtime/grpc-client.js';
import { hitDocument } from '../hit-document.js';
import { addressOption, jsonOption, openCoordinatorClient, wholeNumber } from '../options.js';
import { note } from '../output.js';
import { addFilterOptions, addQueryOptions, filterOf, queryOf, type QueryOptions } from '../query-options.js';

interface RangeOptions extends QueryOptions {
  readonly address: string;
  readonly maxDistance: number;
  readonly limit: number;
  readonly timeout: number;
  readonly json?: boolean;
}

export function registerRange(program: Command): void {
  const command = program
    .command('range')
    .description('every image within a distance of an image file, an indexed image or a code, nearest first');
  addQueryOptions(command).requiredOption(
    '-d, --max-distance <bits>',
    'the greatest Hamming distance',
    wholeNumber(0, 256),
  );
  addFilterOptions(command)
    .option('--limit <n>', 'results at most; 0 for all', wholeNumber(0, Number.MAX_SAFE_INTEGER), 0)
    .option('--timeout <seconds>', 'limit on the whole answer', wholeNumber(1, 3600), 3600)
    .addOption(addressOption())
    .addOption(jsonOption())
    .action(range);
}

async function range(image: string | undefined, options: RangeOptions): Promise<void> {
  const request: SearchRangeRequest = {
    ...(await queryOf(image, options)),
    maxDistance: options.maxDistance,
    limit: options.limit,
    filter: filterOf(options),
  };
  const client = openCoordinatorClient(options.address);
  // write() learns of it, too
  process.stdout.on('error', () => undefined);
  try {
    const pages = pagesOf(client, request, options.timeout * 1000);
    if (options.json) await printDocument(pages);
    else await printLines(pages);
  } catch (error) {
    if (!isBrokenPipe(error)) throw error;
  } finally {
    client.close();
  }
}

async function* pagesOf(
  client: GrpcClient,
  request: SearchRangeRequest,
  timeoutMs: number,
): AsyncGenerator<SearchRangeResponse__Output> {
  const call = client.serverStream<SearchRangeRequest, SearchRangeResponse__Output>('SearchRange', request, {
    timeoutMs,
  });
  try {
    for await (const page of call) yield page as SearchRangeResponse__Output;
  } catch (error) {
    throw client.streamError(error as Error);
  }
}

/** What the pages say together. */
class PageTotals {
  hits = 0;
  partitionsAnswered = Infinity;
  partitionsTotal = 0;
  modelVersion = '';
  exhausted = false;

  add(page: SearchRangeResponse__Output): void {
    this.hits += page.hits.length;
    this.partitionsAnswered = Math.min(this.partitionsAnswered, page.partitionsAnswered);
    this.partitionsTotal = page.partitionsTotal;
    this.modelVersion = page.modelVersion;
    this.exhausted = page.exhausted;
  }
}

/**
 * One JSON document, a hit a line, written as the pages come, so that a range of any size needs the memory of one page.
 * After a failure it is not complete, and the exit code says so.
 */
async function printDocument(pages: AsyncIterable<SearchRangeResponse__Output>): Promise<void> {
  const totals = new PageTotals();
  for await (const page of pages) {
    const lines = page.hits.map(
      (hit, i) => `${totals.hits + i === 0 ? '' : ',\n'}${JSON.stringify(hitDocument(hit))}`,
    );
    await write(`${totals.partitionsTotal === 0 ? '{"hits":[\n' : ''}${lines.join('')}`);
    totals.add(page);
  }
  const { hits: _, ...rest } = totals;
  await write(`\n],${JSON.stringify(rest).slice(1)}\n`);
}

async function printLines(pages: AsyncIterable<SearchRangeResponse__Output>): Promise<void> {
  const totals = new PageTotals();
  for await (const page of pages) {
    totals.add(page);
    const lines = page.hits.map(({ distance, imageId, metadata }) =>
      [distance, imageId, metadata?.label ?? '', metadata?.modality ?? ''].join('\t'),
    );
    if (lines.length > 0) await write(`${lines.join('\n')}\n`);
  }
  note(
    `${totals.hits} results${totals.exhausted ? '' : ', there may be more'}, from ` +
      `${totals.partitionsAnswered} of ${totals.partitionsTotal} partitions`,
  );
}

/** Waits where the reader of a pipe is slow: that holds the stream back to the coordinator. */
function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** Whether the reader of a pipe has gone, as `head` does when it has enough. */
function isBrokenPipe(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EPIPE';
}
