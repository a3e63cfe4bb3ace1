import { assert } from '../core/errors.js';
import { decodeFiles } from './decode-files.js';
import type { DecodeOutcome, DecodeRequest, DecodeSettings } from './decode-task.js';

/** What a process that decodes suspects is sent; it answers each with a DecodeOutcome. */
export interface SuspectRequest {
  readonly request: DecodeRequest;
  readonly settings: DecodeSettings;
}

// runs as a process of its own (suspect-decoder.ts) and ends with its parent
process.on('message', (message) => {
  void answer(message as SuspectRequest);
});

async function answer({ request, settings }: SuspectRequest): Promise<void> {
  const [outcome] = await decodeFiles([request], settings);
  assert(process.send !== undefined && outcome !== undefined, 'a suspect has a parent and an outcome');
  process.send(outcome satisfies DecodeOutcome);
}
