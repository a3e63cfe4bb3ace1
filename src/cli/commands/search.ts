import { Option, type Command } from 'commander';
import type { SearchRequest } from '../../generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../../generated/kinscan/v1/SearchResponse.js';
import { UsageError } from '../exit-code.js';
import { hitDocument } from '../hit-document.js';
import { addressOption, jsonOption, openCoordinatorClient, wholeNumber } from '../options.js';
import { note, printJson, printTable } from '../output.js';
import { addFilterOptions, addQueryOptions, filterOf, queryOf, type QueryOptions } from '../query-options.js';

interface SearchOptions extends QueryOptions {
  readonly address: string;
  readonly k: string;
  readonly maxDistance?: number;
  readonly groupBy: keyof typeof GROUP_BY;
  readonly timeout: number;
  readonly json?: boolean;
}

const GROUP_BY = {
  none: 'GROUP_BY_UNSPECIFIED',
  study: 'GROUP_BY_STUDY',
  series: 'GROUP_BY_SERIES',
  patient: 'GROUP_BY_PATIENT',
} as const;

export function registerSearch(program: Command): void {
  const command = program
    .command('search')
    .description('the nearest images to an image file, to an indexed image or to a code');
  addQueryOptions(command)
    .option('-k <n>', 'results wanted, 1 to 10,000', '10')
    .option('--max-distance <bits>', 'only results within this Hamming distance', wholeNumber(0, 256))
    .addOption(
      new Option('--group-by <what>', 'one result, the nearest image, of each group; -k counts groups')
        .choices(Object.keys(GROUP_BY))
        .default('none'),
    );
  addFilterOptions(command)
    .option('--timeout <seconds>', 'limit on the wait for the answer', wholeNumber(1, 3600), 30)
    .addOption(addressOption())
    .addOption(jsonOption())
    .action(search);
}

async function search(image: string | undefined, options: SearchOptions): Promise<void> {
  const client = openCoordinatorClient(options.address);
  try {
    const response = await client.call<SearchRequest, SearchResponse__Output>(
      'Search',
      await requestOf(image, options),
      {
        timeoutMs: options.timeout * 1000,
      },
    );
    if (options.json) printJson(documentOf(response));
    else printSearchResponse(response);
  } finally {
    client.close();
  }
}

async function requestOf(image: string | undefined, options: SearchOptions): Promise<SearchRequest> {
  const query = await queryOf(image, options);
  const k = Number(options.k);
  // out of range goes to the coordinator, whose answer has the stable code; what is no number cannot
  if (!Number.isInteger(k) || k < 0 || k > 0xffff_ffff) throw new UsageError('-k is a whole number');
  return {
    ...query,
    k,
    groupBy: GROUP_BY[options.groupBy],
    filter: filterOf(options),
    ...(options.maxDistance === undefined ? {} : { maxDistance: options.maxDistance }),
  };
}

/** The search document of the contract. */
function documentOf(response: SearchResponse__Output) {
  return {
    hits: response.hits.map(hitDocument),
    partitionsAnswered: response.partitionsAnswered,
    partitionsTotal: response.partitionsTotal,
    modelVersion: response.modelVersion,
    timingsMs: {
      encode: response.timings?.encodeMs ?? 0,
      search: response.timings?.searchMs ?? 0,
      total: response.timings?.totalMs ?? 0,
    },
  };
}

export function printSearchResponse(response: SearchResponse__Output): void {
  printTable(
    ['rank', 'distance', 'image', 'label', 'modality', 'size'],
    response.hits.map((hit, index) => [
      index + 1,
      hit.distance,
      hit.imageId,
      hit.metadata?.label ?? '',
      hit.metadata?.modality ?? '',
      `${hit.metadata?.columns ?? 0}x${hit.metadata?.rows ?? 0}`,
    ]),
  );
  const { partitionsAnswered, partitionsTotal, timings } = response;
  note(
    `${response.hits.length} results from ${partitionsAnswered} of ${partitionsTotal} partitions in ` +
      `${(timings?.totalMs ?? 0).toFixed(1)} ms (encode ${(timings?.encodeMs ?? 0).toFixed(1)}, search ${(timings?.searchMs ?? 0).toFixed(1)})`,
  );
}
