import path from 'node:path';
import type { SearchRequest } from '../../generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../../generated/kinscan/v1/SearchResponse.js';
import type { StatusRequest } from '../../generated/kinscan/v1/StatusRequest.js';
import type { StatusResponse__Output } from '../../generated/kinscan/v1/StatusResponse.js';
import { writeSampleArchive } from '../../imaging/sample-archive.js';
import type { GrpcClient } from '../../runtime/grpc-client.js';
import { printSearchResponse } from '../commands/search.js';
import { findFiles, type FoundFile } from '../ingest/find-files.js';
import type { IngestClient } from '../ingest/ingest-client.js';
import { ingestFiles } from '../ingest/ingest-files.js';
import { note } from '../output.js';
import { openProgress } from '../progress.js';

const SAMPLE_IMAGES = 300;
const SAMPLE_SEED = 1;
const CALL_TIMEOUT_MS = 30_000;

export interface SampleRunOptions {
  readonly dataDir: string;
  readonly address: string;
  readonly coordinator: GrpcClient;
  readonly ingest: IngestClient;
  /** Whether to print the result for people. */
  readonly show: boolean;
}

/** Draws the sample archive, streams it in and shows one query, if the index is empty. */
export async function runSample(options: SampleRunOptions): Promise<void> {
  const folder = path.join(options.dataDir, 'sample');
  const call = { timeoutMs: CALL_TIMEOUT_MS };
  const status = await options.coordinator.call<StatusRequest, StatusResponse__Output>('Status', {}, call);
  if (status.images === 0 && status.imagesQueued === 0) await ingestSample(folder, options);
  if (!options.show) return;
  const first = await firstFile(folder);
  if (first === undefined) return;
  const request: SearchRequest = { imageId: first.relativePath, k: 5 };
  note(`\nthe images most akin to ${first.relativePath}:`);
  printSearchResponse(
    await options.coordinator.call<SearchRequest, SearchResponse__Output>('Search', request, call),
  );
  note(nextSteps(path.relative(process.cwd(), first.path), options.address));
}

async function firstFile(folder: string): Promise<FoundFile | undefined> {
  for await (const file of findFiles(folder)) return file;
  return undefined;
}

async function ingestSample(folder: string, options: SampleRunOptions): Promise<void> {
  note(`drawing ${SAMPLE_IMAGES} phantom slices in ${folder}`);
  await writeSampleArchive(folder, { count: SAMPLE_IMAGES, seed: SAMPLE_SEED });
  const progress = openProgress('streaming in {bar} {value}/{total}');
  progress.start(SAMPLE_IMAGES);
  await ingestFiles(options.ingest, findFiles(folder), {
    wait: 'INGEST_WAIT_INDEXED',
    labelFromFolder: true,
    concurrency: 64,
    onProgress: ({ accepted, rejected }) => progress.update(accepted + rejected),
  });
  progress.stop();
}

function nextSteps(image: string, address: string): string {
  const at = address === '127.0.0.1:7700' ? '' : ` --address ${address}`;
  return [
    '',
    'what to type next, in another terminal:',
    `  npx kinscan search ${image} -k 10${at}`,
    `  npx kinscan ingest DIR --label-from-folder${at}`,
    `  npx kinscan status${at}`,
    '',
  ].join('\n');
}
