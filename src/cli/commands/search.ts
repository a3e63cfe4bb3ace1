import { Option, type Command } from 'commander';
import { codeFromHex } from '../../core/code.js';
import type { Hit__Output } from '../../generated/kinscan/v1/Hit.js';
import type { SearchRequest } from '../../generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../../generated/kinscan/v1/SearchResponse.js';
import { UsageError } from '../exit-code.js';
import { addressOption, jsonOption, openCoordinatorClient, wholeNumber } from '../options.js';
import { note, printJson, printTable } from '../output.js';
import { readImageFile } from '../read-image-file.js';

interface SearchOptions {
  readonly address: string;
  readonly id?: string;
  readonly code?: string;
  readonly k: string;
  readonly maxDistance?: number;
  readonly ranking: 'fine' | 'hamming';
  readonly requireComplete?: boolean;
  readonly timeout: number;
  readonly json?: boolean;
}

export function registerSearch(program: Command): void {
  program
    .command('search')
    .description('the nearest images to an image file, to an indexed image or to a code')
    .argument('[image]', 'a PNG, JPEG, TIFF or DICOM file')
    .option('--id <id>', 'search by an image that is already indexed')
    .option('--code <hex>', 'search by a code, first byte first')
    .option('-k <n>', 'results wanted, 1 to 10,000', '10')
    .option('--max-distance <bits>', 'only results within this Hamming distance', wholeNumber(0, 256))
    .addOption(
      new Option('--ranking <order>', 'order within equal distances')
        .choices(['fine', 'hamming'])
        .default('fine'),
    )
    .option('--require-complete', 'fail rather than answer with some partitions missing')
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
  if ([image, options.id, options.code].filter((query) => query !== undefined).length !== 1) {
    throw new UsageError('search takes exactly one of IMAGE, --id and --code');
  }
  const k = Number(options.k);
  // out of range goes to the coordinator, whose answer has the stable code; what is no number cannot
  if (!Number.isInteger(k) || k < 0 || k > 0xffff_ffff) throw new UsageError('-k is a whole number');
  return {
    k,
    ranking: options.ranking === 'hamming' ? 'RANKING_HAMMING' : 'RANKING_UNSPECIFIED',
    requireComplete: options.requireComplete === true,
    ...(options.maxDistance === undefined ? {} : { maxDistance: options.maxDistance }),
    ...(image === undefined ? {} : { image: await readImageFile(image) }),
    ...(options.id === undefined ? {} : { imageId: options.id }),
    ...(options.code === undefined ? {} : { code: codeOf(options.code) }),
  };
}

function codeOf(hex: string) {
  const bits = codeFromHex(hex);
  return { bits, codeBits: bits.length * 8 };
}

/** The search document of the contract. */
function documentOf(response: SearchResponse__Output) {
  return {
    hits: response.hits.map((hit) => ({
      id: hit.imageId,
      distance: hit.distance,
      fineDistance: hit.fineDistance,
      metadata: presentMetadata(hit),
    })),
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

/** Metadata without the fields that say nothing. */
function presentMetadata(hit: Hit__Output): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(hit.metadata ?? {}).filter(([, value]) => value !== '' && value !== 0),
  );
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
