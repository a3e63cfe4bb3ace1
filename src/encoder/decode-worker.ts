import { workerPoolData } from '../runtime/worker-pool.js';
import { decodeFiles } from './decode-files.js';
import type { DecodeOutcome, DecodeRequest, DecodeSettings } from './decode-task.js';

/** One decode thread. */
export default function runDecode(requests: readonly DecodeRequest[]): Promise<DecodeOutcome[]> {
  return decodeFiles(requests, workerPoolData() as DecodeSettings);
}
